// Tokenizers of tokenizer.json: what comes back, how merges go, special tokens, and files that are damaged or hostile.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../src/errors/index.js';
import { bytesOfToken } from '../../src/text/bpe/byte-alphabet.js';
import {
  gpt2Tokenizer,
  HuggingFaceTokenizer,
  openHuggingFaceTokenizer,
  tiktokenTokenizer,
} from '../../src/text/index.js';

const golden = (name: string) =>
  (JSON.parse(readFileSync(new URL(`../golden/tokenizers/${name}.json`, import.meta.url), 'utf8')) as { tokenizer: Json }).tokenizer; // biome-ignore format: one line
type Json = { [key: string]: unknown; model: Record<string, unknown>; added_tokens: { content: string }[] };
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const open = (value: unknown, setting = {}) => HuggingFaceTokenizer.fromBytes(bytes(value), setting);

/** Without the texts of special tokens, which are left out of what is decoded. */
const text = fc
  .string({ unit: fc.oneof(fc.constantFrom(' ', '\n', 'the ', 'é', 'の', '🙂', '\u0301', '0'), fc.string({ unit: 'grapheme', maxLength: 3 })), maxLength: 60 }) // biome-ignore format: one line
  .filter((t) => !/<|[\ud800-\udfff]/u.test(t));

describe('texts come back whole', () => {
  it.each(['gpt2', 'llama3', 'o200k', 'smollm', 'gemma'])('%s', (name) => {
    const tokenizer = open(golden(name));
    const space = name === 'gemma' ? ' ' : '\u2581';
    fc.assert(
      fc.property(text, (t) => {
        expect(tokenizer.idsToText(tokenizer.textToIds(t))).toBe(t.replaceAll('\u2581', space));
      }),
    );
  });

  it('composed, where the tokenizer composes', () => {
    // Without an added token that is no characters of bytes.
    const tokenizer = open({ ...golden('qwen'), added_tokens: [] });
    fc.assert(
      fc.property(text, (t) => {
        expect(tokenizer.idsToText(tokenizer.textToIds(t))).toBe(t.normalize('NFC'));
      }),
    );
  });
});

describe('merges', () => {
  it('go by rank one by one, in short and in long words alike', () => {
    const tokens = ['a', 'b', 'ab', 'aa', 'aab', 'ba'];
    const model = { type: 'BPE', vocab: Object.fromEntries(tokens.map((t, i) => [t, i])), merges: [['a', 'a'], ['aa', 'b'], ['a', 'b'], ['b', 'a']] }; // biome-ignore format: one line
    const tokenizer = open({ model });
    /** By the definition, over texts. */
    const expected = (word: string): string[] => {
      const parts = [...word];
      for (;;) {
        const ranks = parts
          .slice(1)
          .map((part, i) => model.merges.findIndex(([a, b]) => a === parts[i] && b === part));
        const best = Math.min(...ranks.filter((rank) => rank >= 0), 99);
        if (best === 99) return parts;
        const at = ranks.indexOf(best);
        parts.splice(at, 2, parts[at] + parts[at + 1]);
      }
    };
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 120 }), (word) => {
        expect(tokenizer.textToTokens(word)).toEqual(expected(word));
      }),
    );
  });
});

describe('special tokens', () => {
  const tokenizer = open(golden('gpt2'), { eos: '<|end|>' });
  it('stand for themselves and are left out of texts', () => {
    expect(tokenizer.eosId).toBe(2);
    expect(tokenizer.textToIds('a<|end|>b')).toContain(2);
    expect(tokenizer.idsToText(tokenizer.textToIds('a<|end|>b'))).toBe('ab');
  });
  it('are -1 where there is none', () => {
    expect([tokenizer.bosId, tokenizer.padId, tokenizer.unkId]).toEqual([-1, -1, -1]);
  });
});

describe('other files', () => {
  const json = golden('gpt2');
  const vocabulary = json.model['vocab'] as Record<string, number>;
  const merges = json.model['merges'] as [string, string][];
  it('of GPT-2 give the same ids', () => {
    const file = Buffer.from(`#version: 0.2\n${merges.map((pair) => pair.join(' ')).join('\n')}\n`);
    const tokenizer = gpt2Tokenizer(
      { name: 'vocab.json', bytes: bytes(vocabulary) },
      { name: 'merges.txt', bytes: file },
    );
    const whole = open(json);
    fc.assert(
      fc.property(text, (t) => {
        expect(tokenizer.textToIds(t)).toEqual(whole.textToIds(t));
      }),
    );
    expect([...tokenizer.files().keys()]).toEqual(['vocab.json', 'merges.txt']);
  });

  it('of tiktoken give the tokens of the same merges', () => {
    const tokens = Object.entries(vocabulary)
      .sort((a, b) => a[1] - b[1])
      .slice(3);
    const lines = tokens.map(([t], rank) => `${Buffer.from(bytesOfToken(t)).toString('base64')} ${rank}`);
    const tokenizer = tiktokenTokenizer(
      { name: 'x.tiktoken', bytes: Buffer.from(lines.join('\n')) },
      'r50k_base',
    );
    for (const t of ['the quick brown fox', ' días 日本 12']) expect(tokenizer.textToTokens(t)).toEqual(open(json).textToTokens(t)); // biome-ignore format: one line
  });
});

describe('a damaged or hostile tokenizer.json is refused in one line', () => {
  const json = golden('llama3');
  const cases: [string, unknown, RegExp][] = [
    ['no JSON', undefined, /tokenizer\.json/],
    ['a list', [], /expected a mapping/],
    ['no model', {}, /model/],
    ['an unknown model', { model: { type: 'Magic' } }, /the model Magic is not supported — supported are BPE/],
    ['an unknown step', { ...json, pre_tokenizer: { type: 'UnicodeScripts' } }, /the pre-tokenizer UnicodeScripts is not supported/],
    ['an inherited name as a step', { ...json, normalizer: { type: 'constructor' } }, /the normalizer constructor is not supported/],
    ['ids that are no numbers', { model: { type: 'BPE', vocab: { a: 'x' }, merges: [] } }, /model\.vocab\.a: expected an id/],
    ['ids that fill the memory', { model: { type: 'BPE', vocab: { a: 16_000_000 }, merges: [] } }, /1 tokens have ids up to 16000000/],
    ['merges of no tokens', { model: { type: 'BPE', vocab: { a: 0 }, merges: ['a b'] } }, /model\.merges\[0\]: the vocabulary has not both/],
    ['merges of three', { model: { type: 'BPE', vocab: { a: 0 }, merges: ['a a a'] } }, /expected two tokens/],
    ['a pattern that is none', { ...json, pre_tokenizer: { type: 'Split', pattern: { Regex: '(a' }, behavior: 'Isolated' } }, /open group/],
    ['a text where a mapping is due', { ...json, decoder: 'x' }, /decoder: expected a mapping/],
  ]; // biome-ignore format: a table
  it.each(cases)('%s', (_, value, message) => {
    let error: unknown;
    try {
      HuggingFaceTokenizer.fromBytes(value === undefined ? Buffer.from('{"model": ') : bytes(value));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(AnemoneError);
    expect((error as AnemoneError).message).toMatch(message);
    expect((error as AnemoneError).message).not.toContain('\n');
  });

  it('a folder without one', () => {
    expect(() => openHuggingFaceTokenizer('/nowhere')).toThrow(
      /cannot read the tokenizer file .*nothing is downloaded/,
    );
  });
});
