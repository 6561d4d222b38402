// WordPiece against Hugging Face's BertTokenizer (test/golden/scripts/wordpiece.py): three languages, odd strings.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, WordPieceTokenizer } from '../../../src/text/index.js';

const folder = join(import.meta.dirname, '../../fixtures/text');
const bytes = new Uint8Array(readFileSync(join(folder, 'wordpiece.txt')));
type Golden = Record<'cased' | 'lower', { size: number; mask: number; rows: [string, number[], string][] }>;
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../golden/wordpiece.json'), 'utf8'),
) as Golden;

describe.each([
  ['cased', false],
  ['lower', true],
] as const)('WordPiece, %s', (name, lowercase) => {
  const tokenizer = WordPieceTokenizer.fromBytes(bytes, { lowercase });
  const { size, mask, rows } = golden[name];

  it('cuts every text as BertTokenizer does', () => {
    expect(tokenizer.vocabSize).toBe(size);
    const wrong = rows.filter(([text, ids]) => tokenizer.textToIds(text).join() !== ids.join());
    expect(wrong.map(([text]) => [text, tokenizer.textToTokens(text)])).toEqual([]);
    expect(rows.length).toBeGreaterThan(100);
  });

  it('decodes as NeMo does', () => {
    const wrong = rows.filter(([, ids, text]) => tokenizer.idsToText(ids) !== text);
    expect(wrong.map(([, ids]) => tokenizer.idsToText(ids))).toEqual([]);
  });

  it('adds special tokens that the vocabulary lacks', () => {
    expect(tokenizer.tokensToIds(['[MASK]'])).toEqual([mask]);
    expect(mask).toBe(size - 1);
  });
});

describe('a WordPiece vocabulary', () => {
  const small = new WordPieceTokenizer(['[PAD]', '[UNK]', 'un', '##able', '##a', 'b', '##b']);

  it('is cut greedily, and words that cannot be cut are unknown whole', () => {
    expect(small.textToTokens('unable unab bab')).toEqual([
      'un',
      '##able',
      'un',
      '##a',
      '##b',
      'b',
      '##a',
      '##b',
    ]);
    expect(small.textToTokens('unabc ab')).toEqual(['[UNK]', '[UNK]']);
    expect(small.unknownCharacters('unabc ab')).toEqual(['u', 'n', 'c', 'a']);
    expect(small.tokensToText(['un', '##able', 'b'])).toBe('unable b');
    expect(small.idsToText([2, 3, 1, 5, 0])).toBe('unable b');
    expect(small.unkId).toBe(1);
    expect(small.vocabulary.slice(7)).toEqual(['[SEP]', '[CLS]', '[MASK]']);
    expect(() => small.idsToTokens([99])).toThrow(/not in the vocabulary/);
  });

  it('comes back from its file', () => {
    const files = small.files();
    expect([...files.keys()]).toEqual(['vocab.txt']);
    const section = { type: 'wpe', vocab_path: 'v' };
    const again = loadTokenizer(section, 'tokenizer', () => files.get('vocab.txt') as Uint8Array);
    expect(again.vocabulary).toEqual(small.vocabulary);
    expect(WordPieceTokenizer.fromBytes(Buffer.from('a\r\n##b\r\n')).vocabulary.slice(0, 2)).toEqual([
      'a',
      '##b',
    ]);
  });

  it('is refused when it cannot be one', () => {
    expect(() => new WordPieceTokenizer(['a', 'a'])).toThrow(/twice/);
    expect(() => new WordPieceTokenizer([])).toThrow(/empty/);
    const load = (more: object) => () =>
      loadTokenizer({ type: 'wpe', ...more }, 'model.tokenizer', () => bytes);
    expect(load({})).toThrow(/vocab_path/);
    expect(load({ dir: 'x', hf_kwargs: { unk_token: '<unk>' } })).toThrow(
      /hf_kwargs.unk_token.*usual names/s,
    );
    expect(load({ dir: 'x', hf_kwargs: { unk_token: null, use_fast: true } })).not.toThrow();
  });
});
