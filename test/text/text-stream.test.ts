// Streams give what the whole text is, and never half a character.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteTokenizer,
  byteLengths,
  HuggingFaceTokenizer,
  TextStream,
  type Tokenizer,
} from '../../src/text/index.js';

const golden = (name: string): Tokenizer => {
  const file = readFileSync(new URL(`../golden/tokenizers/${name}.json`, import.meta.url), 'utf8');
  return HuggingFaceTokenizer.fromJson((JSON.parse(file) as { tokenizer: unknown }).tokenizer);
};
const kinds: [string, Tokenizer][] = [
  ['bytes', new ByteTokenizer()],
  ...['gpt2', 'llama3', 'llama2', 'gemma', 'metaspace-first', 'unigram'].map((name): [string, Tokenizer] => [
    name,
    golden(name),
  ]),
];
const text = fc.string({ unit: fc.oneof(fc.constantFrom(' ', 'the', '\n', 'é', '日本', '🙂', '👩‍👧'), fc.string({ unit: 'grapheme', maxLength: 2 })), maxLength: 40 }).filter((t) => !/[\ud800-\udfff\ufffd]/u.test(t)); // biome-ignore format: one line

describe.each(kinds)('%s', (_, tokenizer) => {
  it('gives whole characters, which are the text together', () => {
    fc.assert(
      fc.property(text, (t) => {
        const ids = tokenizer.textToIds(t);
        const stream = new TextStream(tokenizer);
        const parts = ids.map((id) => stream.push(id));
        for (const part of parts) expect(part).not.toContain('\ufffd');
        expect(parts.join('') + stream.end()).toBe(tokenizer.idsToText(ids));
      }),
    );
  });
});

it('bytes that never become a character are told in the end', () => {
  const stream = new TextStream(new ByteTokenizer());
  expect([0xe6, 0x97].map((id) => stream.push(id)).join('')).toBe('');
  expect(stream.end()).toBe('\ufffd');
  const broken = new TextStream(new ByteTokenizer());
  const text = [0xff, 0x41, 0xff, 0xff, 0xff, 0xff, 0xff, 0x42].map((id) => broken.push(id)).join('');
  expect(text + broken.end()).toBe(
    new TextDecoder().decode(Uint8Array.from([0xff, 0x41, 0xff, 0xff, 0xff, 0xff, 0xff, 0x42])),
  );
});

it('bytes of tokens add up to those of the text', () => {
  for (const name of ['gpt2', 'llama3', 'gemma']) {
    const tokenizer = golden(name);
    const lengths = byteLengths(tokenizer);
    const t = 'The días of 日本, 🙂 \n12';
    expect(tokenizer.textToIds(t).reduce((sum, id) => sum + lengths[id], 0)).toBe(Buffer.byteLength(t));
  }
});
