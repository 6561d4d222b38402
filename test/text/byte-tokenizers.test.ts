// Tokenizers over bytes: every text comes back, merges go by rank, special tokens stand for themselves.
import { describe, expect, it } from 'vitest';
import { ByteBpeTokenizer, ByteTokenizer } from '../../src/text/index.js';

const bytes = Array.from({ length: 256 }, (_, byte) => {
  const isPrintable = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  const before = Array.from({ length: byte }, (_, b) => b).filter((b) => !isPrintable(b)).length;
  return String.fromCharCode(isPrintable(byte) ? byte : 256 + before);
});
const merges = ['h e', 'l l', 'he ll', 'Ġ w', 'hell o', 'o r', '1 2'];
const model = {
  vocabulary: ['<|end|>', ...bytes, ...merges.map((pair) => pair.replace(' ', ''))],
  merges,
  specials: ['<|end|>'],
  eos: '<|end|>',
};
const texts = ['hello world', "I'm 12  years\n\n old", 'grüße, 世界! 🙂', '', ' \t', 'a<|end|>b'];

describe('byte-level BPE', () => {
  const bpe = new ByteBpeTokenizer(model);

  it('merges by rank, within words', () => {
    expect(bpe.textToTokens('hello world')).toEqual(['hello', 'Ġw', 'or', 'l', 'd']);
    expect(bpe.textToTokens('hell ohell')).toEqual(['hell', 'Ġ', 'o', 'hell']);
  });

  it.each(texts)('gives back %j', (text) => {
    expect(bpe.idsToText(bpe.textToIds(text))).toBe(text.replace('<|end|>', ''));
  });

  it('takes special tokens as one, and leaves them out of texts', () => {
    expect(bpe.textToTokens('a<|end|>b')).toEqual(['a', '<|end|>', 'b']);
    expect(bpe.eosId).toBe(0);
    expect(bpe.bosId).toBe(-1);
  });

  it('splits digits where the model does', () => {
    expect(bpe.textToTokens('12')).toEqual(['12']);
    expect(new ByteBpeTokenizer({ ...model, splitsDigits: true }).textToTokens('12')).toEqual(['1', '2']);
  });

  it('refuses what it does not know', () => {
    expect(() => bpe.idsToText([9999])).toThrow(/no token 9999/);
    expect(() => bpe.tokensToIds(['xyz'])).toThrow(/no token "xyz"/);
  });
});

describe('bytes as tokens', () => {
  const tokenizer = new ByteTokenizer();
  it.each(texts)('give back %j', (text) => {
    expect(tokenizer.idsToText([tokenizer.bosId, ...tokenizer.textToIds(text), tokenizer.eosId])).toBe(text);
  });
  it('have NeMo’s special tokens after them', () => {
    expect([tokenizer.vocabSize, tokenizer.padId, tokenizer.bosId, tokenizer.eosId]).toEqual([
      259, 256, 257, 258,
    ]);
    expect(() => tokenizer.idsToText([259])).toThrow(/no token 259/);
  });
});
