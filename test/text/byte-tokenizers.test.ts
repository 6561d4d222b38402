// Bytes as tokens: every text comes back.
import { describe, expect, it } from 'vitest';
import { ByteTokenizer } from '../../src/text/index.js';

const texts = ['hello world', "I'm 12  years\n\n old", 'grüße, 世界! 🙂', '', ' \t', 'a<|end|>b'];

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
