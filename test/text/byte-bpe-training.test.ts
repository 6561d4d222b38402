// Byte-level BPE that is trained here has the merges that Hugging Face's trainer learns, and reads back what it writes.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  openHuggingFaceTokenizer,
  trainByteBpe,
  type WordPatternName,
  writeByteBpeFolder,
} from '../../src/text/index.js';

type Golden = Record<string, { readonly vocabulary: string[]; readonly merges: string[] }>;
const golden = JSON.parse(
  readFileSync(new URL('../golden/byte_bpe_training.json', import.meta.url), 'utf8'),
) as Golden;
const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/text/${name}.txt`, import.meta.url), 'utf8');
const texts = [
  ...['en', 'es', 'ja'].map(fixture),
  'aaaa aaaaa aaaaaa aaa aa aaaaaaa '.repeat(50),
  'ababab abab baba bababa '.repeat(40),
];
const specials = ['<|endoftext|>', '<pad>'];

describe.each(['gpt2', 'llama3'] as WordPatternName[])('with the words of %s', (words) => {
  const tokenizer = trainByteBpe(texts, { vocabSize: 1200, minFrequency: 3, words, specials });
  it('the merges and ids are those of tokenizers', () => {
    const json = JSON.parse(Buffer.from(tokenizer.files().get('tokenizer.json') as Uint8Array).toString()) as { model: { merges: string[][] } }; // biome-ignore format: one line
    expect(json.model.merges.map((pair) => pair.join(' '))).toEqual(golden[words].merges);
    expect(tokenizer.vocabulary).toEqual(golden[words].vocabulary);
  });

  it('a folder of it gives the same ids, and ends texts with the first special token', () => {
    const dir = writeByteBpeFolder(tokenizer, mkdtempSync(join(tmpdir(), 'bpe-')), 1200);
    const read = openHuggingFaceTokenizer(dir);
    expect(read.textToIds(texts[1])).toEqual(tokenizer.textToIds(texts[1]));
    expect([read.eosId, read.bosId, read.padId]).toEqual([0, 0, 0]);
    expect(read.idsToText(read.textToIds(`${texts[2]}🙂`))).toBe(`${texts[2]}🙂`);
  });

  it('a folder of it names the class by which transformers opens it', () => {
    const config = JSON.parse(Buffer.from(tokenizer.files().get('tokenizer_config.json') as Uint8Array).toString()) as object; // biome-ignore format: one line
    expect(config).toMatchObject({ tokenizer_class: 'PreTrainedTokenizerFast' });
  });
});

describe('training', () => {
  it('ends where pairs are rare', () => {
    expect(trainByteBpe(['ab ab ab', 'x y z'], { vocabSize: 5000 }).vocabSize).toBe(257 + 2);
  });
  it('does not learn from special tokens in texts', () => {
    const tokenizer = trainByteBpe([`${'<|endoftext|>'.repeat(9)}abab`], { vocabSize: 300, minFrequency: 2 });
    expect(tokenizer.vocabulary.slice(257)).toEqual(['ab']);
  });
  it.each([
    [{ vocabSize: 100 }, /257 tokens already, got 100/],
    [{ vocabSize: 300, words: 'lama3' as 'llama3' }, /did you mean "llama3"/],
    [{ vocabSize: 300, minFrequency: -1 }, /minFrequency/],
    [{ vocabSize: 300, specials: ['a', 'a'] }, /each given once/],
  ])('refuses %j', (options, message) => {
    expect(() => trainByteBpe(['text'], options)).toThrow(message);
  });
  it('refuses no text', () => {
    expect(() => trainByteBpe([], { vocabSize: 300 })).toThrow(/no text to train on/);
  });
});
