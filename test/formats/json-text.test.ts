import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../src/errors/index.js';
import { parseJsonText } from '../../src/formats/index.js';

const parse = (json: string | Uint8Array, line?: number) =>
  parseJsonText(json, { code: 'x.json', position: { file: 'f.json', line } });

function errorOf(json: string | Uint8Array, line?: number): AnemoneError {
  try {
    parse(json, line);
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('was parsed');
}

describe('JSON text', () => {
  it('is UTF-8 with or without a byte order mark', () => {
    expect(parse('\uFEFF{"a":[1]}')).toEqual({ a: [1] });
    expect(parse(new TextEncoder().encode('\uFEFF"ä"'))).toBe('ä');
    expect(errorOf(Uint8Array.of(0x22, 0xff, 0x22)).message).toBe('f.json: the file is not valid UTF-8');
  });

  it('names file, line and column of a mistake', () => {
    expect(errorOf('{"a":').position).toEqual({ file: 'f.json', line: 1, column: 6 });
    expect(errorOf('[1,\n[2,\n').position).toEqual({ file: 'f.json', line: 3, column: 1 });
    expect(errorOf('{"a":', 7).position).toEqual({ file: 'f.json', line: 7, column: 6 });
    expect(errorOf('').code).toBe('x.json');
    expect(errorOf('[1, 2,]').message).toMatch(/^f\.json(:1:7)?: the file is not JSON: /);
  });

  it('of great depth is refused where it gets too deep; brackets in texts do not count', () => {
    expect(errorOf('['.repeat(1e6)).message).toBe(
      'f.json:1:65: the file nests more than 64 lists and objects',
    );
    expect(errorOf(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`).code).toBe('x.json');
    expect(parse(`${'['.repeat(64)}${']'.repeat(64)}`)).toBeInstanceOf(Array);
    expect(parse(JSON.stringify(`\\"${'['.repeat(1000)}`))).toHaveLength(1002);
    expect(parse(`[${'[],'.repeat(1000)}1]`)).toHaveLength(1001);
  });

  it('may have a key __proto__ without touching a prototype', () => {
    const value = parse('{"__proto__": {"polluted": 1}}') as Record<string, unknown>;
    expect(value['polluted']).toBeUndefined();
    expect(Object.hasOwn(value, '__proto__')).toBe(true);
  });
});
