import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { AnemoneError } from '../../src/errors/index.js';
import {
  AggregateTokenizer,
  CharTokenizer,
  loadTokenizer,
  SentencePieceTokenizer,
  type Tokenizer,
  tokenizerFolder,
  trainTokenizerFolder,
  WordTokenizer,
} from '../../src/text/index.js';
import { fixtureBytes, fixtureLines } from './fixtures.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-tok-'));
afterAll(() => rmSync(folder, { recursive: true }));

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AnemoneError) return `${error.code} ${error.path ?? ''}`.trim();
    throw error;
  }
  return 'no error';
}

describe('every tokenizer', () => {
  const sentencePiece = SentencePieceTokenizer.fromBytes(fixtureBytes('test_model.model'));
  const char = new CharTokenizer([' ', 'a', 'b', 'c'], { unkToken: '<unk>' });
  const word = new WordTokenizer(['cab', 'bab', 'a'], { unkToken: '<unk>' });
  const aggregate = new AggregateTokenizer([['xx', char]]);
  const all: [string, Tokenizer, string][] = [
    ['SentencePiece', sentencePiece, 'I saw a girl with a telescope.'],
    ['char', char, 'a cab bab'],
    ['word', word, 'a cab bab'],
    ['aggregate', aggregate, 'a cab'],
  ];
  for (const [name, tokenizer, text] of all) {
    it(`${name}: ids, tokens and text agree`, () => {
      const ids = tokenizer.textToIds(text);
      const tokens = tokenizer.textToTokens(text);
      expect(tokenizer.idsToTokens(ids)).toEqual(tokens);
      expect(tokenizer.tokensToIds(tokens)).toEqual(ids);
      expect(tokenizer.idsToText(ids)).toBe(text);
      expect(tokenizer.tokensToText(tokens)).toBe(text);
      expect(ids.map((id) => tokenizer.vocabulary[id])).toEqual(tokens);
      expect(tokenizer.vocabulary).toHaveLength(tokenizer.vocabSize);
      expect(tokenizer.unknownCharacters(text)).toEqual([]);
      expect(code(() => tokenizer.idsToTokens([tokenizer.vocabSize]))).toBe('text.id-out-of-range');
    });
  }

  it('tell which characters they do not know', () => {
    expect(sentencePiece.unknownCharacters('a 猫 b 犬猫')).toEqual(['猫', '犬']);
    expect(char.unknownCharacters('abxyx')).toEqual(['x', 'y']);
    expect(word.unknownCharacters('cab xy')).toEqual(['x', 'y']);
  });

  it('have special ids or -1', () => {
    expect([sentencePiece.unkId, sentencePiece.bosId, sentencePiece.eosId, sentencePiece.padId]).toEqual([
      0, 1, 2, -1,
    ]);
    expect([char.unkId, char.bosId]).toEqual([4, -1]);
  });
});

describe('characters', () => {
  it('drop what is not a label, as NeMo does, or use the unknown one', () => {
    const labels = [' ', 'a', 'b'];
    expect(new CharTokenizer(labels).textToIds('a?b')).toEqual([1, 2]);
    expect(new CharTokenizer(labels, { unkToken: '<unk>' }).textToIds('a?b')).toEqual([1, 3, 2]);
    expect(new CharTokenizer(labels, { lowercase: true }).textToIds('AB')).toEqual([1, 2]);
    expect(code(() => new CharTokenizer(labels).tokensToIds(['?']))).toBe('text.unknown-token');
  });

  it('refuse bad labels', () => {
    expect(code(() => new CharTokenizer([]))).toBe('tokenizer.bad-labels labels');
    expect(code(() => new CharTokenizer(['a', 'a']))).toBe('tokenizer.bad-labels labels');
  });
});

describe('aggregate', () => {
  const tokenizer = new AggregateTokenizer([
    ['en', new CharTokenizer([' ', 'a', 'b'])],
    ['ru', new CharTokenizer([' ', 'а', 'б'])],
  ]);

  it('keeps each language in its own range', () => {
    expect(tokenizer.textToIds('ab', 'en')).toEqual([1, 2]);
    expect(tokenizer.textToIds('аб', 'ru')).toEqual([4, 5]);
    expect(tokenizer.idsToText([1, 2, 4, 5])).toBe('ab аб');
    expect(tokenizer.langOf(3)).toBe('ru');
    expect(tokenizer.unknownCharacters('aбz')).toEqual(['z']);
  });

  it('goes on with a word where the language changes inside of it, as in NeMo', () => {
    const bytes = fixtureBytes('test_model.model');
    const own = SentencePieceTokenizer.fromBytes(bytes);
    const both = new AggregateTokenizer([
      ['xx', own],
      ['yy', SentencePieceTokenizer.fromBytes(bytes)],
    ]);
    const inside = own.vocabulary.findIndex((piece) => /^[a-z]{2}$/.test(piece));
    const begin = own.vocabulary.findIndex((piece) => /^▁[a-z]{2}$/.test(piece));
    const [a, b] = [own.vocabulary[inside], own.vocabulary[begin].slice(1)];
    const other = own.vocabSize;
    expect(both.idsToText([begin, inside + other, begin, begin + other])).toBe(`${b}${a} ${b} ${b}`);
  });

  it('needs the language', () => {
    expect(code(() => tokenizer.textToIds('a'))).toBe('text.language-needed');
    expect(code(() => tokenizer.textToIds('a', 'fr'))).toBe('text.language-needed');
  });
});

describe('a folder as NeMo lays it out', () => {
  const options = { lines: fixtureLines('en'), vocabSize: 128, modelType: 'bpe' as const, dataRoot: folder };
  const { dir } = trainTokenizerFolder(options);

  it('is named after type and size', () => {
    expect(dir).toBe(join(folder, 'tokenizer_spe_bpe_v128'));
    expect(tokenizerFolder({ ...options, maxSentencePieceLength: 4 })).toMatch(/_v128_max4$/);
  });

  it('is loaded by the config section', () => {
    const tokenizer = loadTokenizer({ dir, type: 'bpe' });
    expect(tokenizer.vocabSize).toBe(128);
    const again = loadTokenizer({ model_path: join(dir, 'tokenizer.model'), dir: null, type: 'bpe' });
    expect(again.vocabulary).toEqual(tokenizer.vocabulary);
    const vocab = new TextDecoder().decode(tokenizer.files().get('vocab.txt')).split('\n');
    expect(vocab).toContain('##th');
    expect(vocab).not.toContain('<unk>');
    expect(vocab.slice(0, -1)).toHaveLength(125);
  });

  it('can come from a checkpoint instead of the disk', () => {
    const files = loadTokenizer({ dir, type: 'bpe' }).files();
    const fromMemory = loadTokenizer({ dir: 'inside', type: 'bpe' }, 'tokenizer', (path) => {
      const bytes = files.get(path.slice('inside/'.length));
      if (!bytes) throw new Error(path);
      return bytes;
    });
    expect(fromMemory.vocabSize).toBe(128);
  });

  it('explains what is missing', () => {
    const missing = { dir: join(folder, 'nowhere'), type: 'bpe' };
    expect(code(() => loadTokenizer(missing, 'model.tokenizer'))).toBe(
      'tokenizer.missing-file model.tokenizer.dir',
    );
    expect(code(() => loadTokenizer({ type: 'bpe' }))).toBe('tokenizer.bad-option tokenizer.dir');
    expect(code(() => loadTokenizer({ type: 'bpr', dir }))).toBe('tokenizer.unknown-type tokenizer.type');
    expect(code(() => loadTokenizer({ type: 'char' }))).toBe('tokenizer.bad-option tokenizer.labels');
    expect(code(() => trainTokenizerFolder({ ...options, dataRoot: '/dev/null/x' }))).toBe(
      'tokenizer.cannot-write',
    );
  });

  it.each(['{"a":', '5', 'null', '"abc"', '[1,2]', '["a", ["b"]]', '{}', '', '['.repeat(1e5)])(
    'refuses labels.json of %s',
    (text) => {
      const dir = mkdtempSync(join(folder, 'labels-'));
      writeFileSync(join(dir, 'labels.json'), text);
      expect(() => loadTokenizer({ type: 'char', dir })).toThrow(/labels\.json.*write one list of texts/);
      expect(code(() => loadTokenizer({ type: 'char', dir }))).toMatch(/^tokenizer\.bad-labels/);
    },
  );

  it.for(['char', 'word', 'wpe', 'bpe'])('reads no device or pipe as files of %s', (type, { skip }) => {
    skip(process.platform === 'win32', 'Windows has no devices and pipes among its files');
    const dir = mkdtempSync(join(folder, 'special-'));
    for (const name of ['labels.json', 'vocab.txt']) symlinkSync('/dev/zero', join(dir, name));
    execFileSync('mkfifo', [join(dir, 'tokenizer.model')]);
    expect(() => loadTokenizer({ type, dir })).toThrow(/is not a regular file/);
  });

  it('loads the other kinds', () => {
    expect(loadTokenizer({ type: 'char', labels: ['a', 'b'] }).vocabSize).toBe(2);
    const langs = { en: { type: 'bpe', dir }, xx: { type: 'char', labels: ['a'] } };
    expect(loadTokenizer({ type: 'agg', langs }).vocabSize).toBe(129);
  });
});
