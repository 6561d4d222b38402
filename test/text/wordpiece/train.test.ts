// Training WordPiece vocabularies, against those of Hugging Face's trainer.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadTokenizer, trainWordPiece, trainWordPieceFolder } from '../../../src/text/index.js';
import { basicTokens } from '../../../src/text/wordpiece/basic-tokens.js';
import { learnPieces } from '../../../src/text/wordpiece/train/learn-pieces.js';

interface Case {
  readonly texts: string[];
  readonly vocab_size: number;
  readonly lowercase: boolean;
  readonly vocabulary: string[];
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const cases = JSON.parse(read('golden/wordpiece_training.json')) as Case[];
const linesOf = ({ texts }: Pick<Case, 'texts'>) =>
  texts.flatMap((name) => read(`fixtures/text/${name}.txt`).split('\n'));

const folder = mkdtempSync(join(tmpdir(), 'anemone-wordpiece-'));
afterAll(() => rmSync(folder, { recursive: true }));

function wordsOf(lines: readonly string[], lowercase: boolean): Map<string, number> {
  const words = new Map<string, number>();
  for (const line of lines) {
    for (const word of basicTokens(line, { lowercase })) words.set(word, (words.get(word) ?? 0) + 1);
  }
  return words;
}

/** Characters inside of words stand together, before all that was joined. */
function continuations(vocabulary: readonly string[]): string[] {
  const single = vocabulary.filter((token) => token.startsWith('##') && [...token].length === 3);
  return single.map((token) => token.slice(2));
}

describe.each(cases)('$texts, $vocab_size tokens, lowercase $lowercase', (expected) => {
  it('learns what Hugging Face learns, given its order of characters', () => {
    const pieces = learnPieces(wordsOf(linesOf(expected), expected.lowercase), {
      vocabSize: expected.vocab_size,
      minFrequency: 2,
      limitAlphabet: 1000,
      specialTokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'],
      continuations: continuations(expected.vocabulary),
    });
    expect(pieces.length).toBe(expected.vocabulary.length);
    const first = pieces.findIndex((piece, i) => piece !== expected.vocabulary[i]);
    expect([first, pieces[first]]).toEqual([-1, undefined]);
  });

  it('learns nearly the same in an order of its own', () => {
    const { pieces } = trainWordPiece({
      lines: linesOf(expected),
      vocabSize: expected.vocab_size,
      lowercase: expected.lowercase,
    });
    expect(new Set(pieces).size).toBe(pieces.length);
    const known = new Set(expected.vocabulary);
    expect(pieces.filter((piece) => known.has(piece)).length / pieces.length).toBeGreaterThan(0.95);
  });
});

it('joins the most frequent pair, of equals that with the lower ids, whatever overlaps', () => {
  const lines = ['aaaa aaaa aaaa ba ba'];
  expect(trainWordPiece({ lines, vocabSize: 100 }).pieces.slice(5)).toEqual([
    ...['a', 'b', '##a', '##aa', 'aaa', 'aaaa', 'ba'],
  ]);
});

it('keeps the most frequent characters, and stops where nothing comes twice', () => {
  const lines = ['ab ab c'];
  expect(trainWordPiece({ lines, vocabSize: 100, limitAlphabet: 2 }).pieces.slice(5)).toEqual([
    ...['a', 'b', '##b', 'ab'],
  ]);
  expect(trainWordPiece({ lines, vocabSize: 100, minFrequency: 3 }).pieces.slice(5)).toEqual([
    ...['a', 'b', 'c', '##b'],
  ]);
});

it('writes the folder that a config names', () => {
  const lines = linesOf({ texts: ['en'] });
  const { dir, pieces } = trainWordPieceFolder({ lines, vocabSize: 300, dataRoot: folder });
  expect(dir).toBe(join(folder, 'tokenizer_wpe_v300'));
  const tokenizer = loadTokenizer({ dir, type: 'wpe' });
  expect(tokenizer.vocabulary).toEqual(pieces);
  const text = lines.find((line) => line.length > 40) as string;
  expect(tokenizer.unknownCharacters(text)).toEqual([]);
  expect(tokenizer.textToIds(text).length).toBeLessThan(text.replaceAll(' ', '').length / 1.5);
});

it.each([
  ['vocabSize', { vocabSize: 0 }],
  ['minFrequency', { vocabSize: 9, minFrequency: 0.5 }],
])('refuses a bad %s', (path, options) => {
  expect(() => trainWordPiece({ lines: ['a'], ...options })).toThrow(
    expect.objectContaining({ code: 'tokenizer.bad-option', path }),
  );
});

it('refuses a text without words', () => {
  expect(() => trainWordPiece({ lines: [' '], vocabSize: 9 })).toThrow(
    expect.objectContaining({ code: 'tokenizer.empty-text' }),
  );
});
