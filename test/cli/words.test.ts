// Messages in the words of the command, and overrides behind options that take several files.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { refuseOverrides, splitOverrides } from '../../src/cli/file-lists.js';
import { inWordsOf } from '../../src/cli/option-words.js';
import { AnemoneError } from '../../src/errors/index.js';
import { trainSentencePiece } from '../../src/text/index.js';
import { anemone } from './anemone.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-words-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Buffer) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const small = file('small.txt', 'ab ba\nab\n');
const tokenizer = (text: string, ...more: string[]) =>
  anemone('tokenizer', 'train', '--text', text, '--out', folder, ...more);

describe('anemone tokenizer train', () => {
  it('advises its own options', async () => {
    const large = await tokenizer(small, '--vocab-size', '1000');
    expect(large.code).toBe(2);
    expect(large.err).toMatch(
      /^error: --vocab-size: .*; the largest possible is (\d+) — set --vocab-size to at most \1, add text, or give --no-hard-vocab-limit\n$/,
    );
    const tiny = await tokenizer(small, '--vocab-size', '2');
    expect(tiny.err).toMatch(/set --vocab-size to \d+ or more, or lower --character-coverage\n$/);
    const coverage = await tokenizer(small, '--vocab-size', '5', '--character-coverage', '0.5');
    expect(coverage.err).toBe('error: --character-coverage: 0.5 is out of range — expected from 0.98 to 1\n');
    const type = await tokenizer(small, '--vocab-size', '5', '--type', 'x');
    expect(type.err).toMatch(/^error: --type: /);
    const long = await tokenizer(small, '--vocab-size', '5', '--max-sentence-length', '3');
    expect(long.err).toMatch(/--max-sentence-length/);
    for (const { err } of [large, tiny, coverage, type, long]) {
      expect(err).not.toMatch(/vocabSize|characterCoverage|hardVocabLimit|modelType|maxSentenceLength/);
    }
  });

  it('makes a smaller vocabulary where the limit is not hard', async () => {
    const { code, out } = await tokenizer(small, '--vocab-size', '1000', '--no-hard-vocab-limit');
    expect(code).toBe(0);
    expect(Number(/: (\d+) tokens/.exec(out)?.[1])).toBeLessThan(20);
  });

  it.each([
    ['UTF-16', Buffer.from('\ufeffпривет\nмир\n', 'utf16le'), 'is UTF-16 and not UTF-8'],
    ['Latin-1', Buffer.from('café olé\n', 'latin1'), ':1: is not UTF-8'],
  ])('refuses %s', async (_, content, message) => {
    const { code, err } = await tokenizer(file('other.txt', content), '--vocab-size', '12');
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

it('the library keeps its own names', () => {
  const train = () => trainSentencePiece({ lines: ['ab'], vocabSize: 900 });
  expect(train).toThrow(
    /^vocabSize: .*set vocabSize to at most \d+, add text, or give hardVocabLimit: false$/,
  );
});

it('words are replaced whole, and other errors are left alone', async () => {
  const fail = (message: string) => () => {
    throw new AnemoneError({ code: 'x', message });
  };
  await expect(inWordsOf({ chunk: '--chunk' }, fail('chunk of chunks'))).rejects.toThrow('--chunk of chunks');
  await expect(inWordsOf({ chunk: '--chunk' }, () => { throw new TypeError('chunk'); })).rejects.toThrow(TypeError); // biome-ignore format: one line reads better
  expect(await inWordsOf({}, () => 5)).toBe(5);
});

describe('overrides behind a list of files', () => {
  it('are told from files', () => {
    const odd = file('a=b.json', '');
    const words = [
      'm.json',
      '+model.x=0',
      '++a=1',
      'model.test_ds.batch_size=2',
      '~model.y',
      odd,
      '~/x.json',
      'dir/a=b',
    ];
    expect(splitOverrides(words)).toEqual({
      files: ['m.json', odd, '~/x.json', 'dir/a=b'],
      overrides: ['+model.x=0', '++a=1', 'model.test_ds.batch_size=2', '~model.y'],
    });
  });

  it('are refused by commands that take none', () => {
    expect(() => refuseOverrides('--manifest', ['a.json', '+x=1'])).toThrow(/takes no overrides/);
    expect(() => refuseOverrides('--manifest', ['a.json'])).not.toThrow();
  });
});
