import { execFileSync } from 'node:child_process';
import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defineSchema, listOf, parseJson, readJson, recordOf } from '../../src/config/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { codeOf } from '../formats/codes.js';

const options = { code: 'x.json', position: { file: 'f.json' } };
const shape = defineSchema('thing', {
  name: { doc: 'A name.', format: 'string' },
  sizes: { doc: 'Sizes.', format: recordOf('nat') },
});

describe('checked JSON', () => {
  it('is typed by the format', () => {
    const { name, sizes } = parseJson('{"name": "a", "sizes": {"b": 2, "__proto__": 3}}', shape, options);
    expect([name, sizes['b'], Object.keys(sizes)]).toEqual(['a', 2, ['b', '__proto__']]);
  });

  it.each([
    '',
    '{"a":',
    '5',
    'null',
    '"abc"',
    '[1, 2]',
    '{}',
    '{"name": 5, "sizes": {}}',
    '{"name": "a", "sizes": null}',
    '{"name": "a", "sizes": {"b": -1}}',
    '{"name": "a", "sizes": {"b": 1e999}}',
    '{"name": "a", "sizes": {}, "more": 1}',
    '{"__proto__": {"name": "a", "sizes": {}}}',
  ])('of another shape is an error of the caller: %s', (text) => {
    try {
      parseJson(text, shape, options);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AnemoneError);
      expect(error).toMatchObject({ code: 'x.json', position: { file: 'f.json' } });
    }
  });

  it('says the first mistake with its path, and how many there are', () => {
    const text = '{"name": 5, "sizes": {"b": "c"}}';
    expect(() => parseJson(text, shape, options)).toThrow(
      'f.json: name: the file is of another shape: expected text, got the number 5 (and 1 more mistakes)',
    );
  });

  it('comes from regular files of bounded size only', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'json-'));
    const read = (path: string) => codeOf(readJson(path, listOf('int'), { code: 'x.json' }));
    writeFileSync(join(folder, 'good.json'), '[1, 2]');
    expect(await readJson(join(folder, 'good.json'), listOf('int'), { code: 'x.json' })).toEqual([1, 2]);
    writeFileSync(join(folder, 'huge.json'), '');
    truncateSync(join(folder, 'huge.json'), 2 ** 40);
    expect(await read(join(folder, 'huge.json'))).toBe('file.too-large');
    expect(await read(join(folder, 'none.json'))).toBe('file.missing');
    expect(await read(join(folder, 'a\0b'))).toBe('file.missing');
    expect(await read(folder)).toBe('file.unreadable');
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await read(join(folder, 'pipe'))).toBe('file.unreadable');
    expect(await read('/dev/zero')).toBe('file.unreadable');
  });
});
