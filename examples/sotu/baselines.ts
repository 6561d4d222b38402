// What a language model is measured by: how far compressors and an n-gram model get with the same text.
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { gzipSync, constants as zlib } from 'node:zlib';
import { openHuggingFaceTokenizer } from '../../src/text/index.js';
import { KneserNey } from './ngram.js';

/** Bits that a method needs for a byte of the test's text. */
export interface Baseline {
  readonly name: string;
  /** None where a program is not there. */
  readonly bitsPerByte: number | undefined;
}

interface Texts {
  readonly train: readonly string[];
  readonly test: readonly string[];
}

/** gzip and xz on the test's text alone, and n-grams of tokens learned from the training text. */
export async function baselines(folder: string, tokenizerFolder: string): Promise<Baseline[]> {
  const texts = {
    train: await textsOf(`${folder}/train.jsonl`),
    test: await textsOf(`${folder}/test.jsonl`),
  };
  const bytes = Buffer.from(texts.test.join('\n'));
  const bits = (compressed: number | undefined): number | undefined =>
    compressed === undefined ? undefined : (8 * compressed) / bytes.length;
  return [
    { name: 'gzip -9', bitsPerByte: bits(gzipSync(bytes, { level: zlib.Z_BEST_COMPRESSION }).length) },
    { name: 'xz -9e', bitsPerByte: bits(xzLength(bytes)) },
    { name: '5-grams (modified Kneser-Ney)', bitsPerByte: await fiveGrams(texts, tokenizerFolder) },
  ];
}

async function textsOf(path: string): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n');
  return lines.map((line) => (JSON.parse(line) as { text: string }).text);
}

function xzLength(bytes: Uint8Array): number | undefined {
  const { status, stdout } = spawnSync('xz', ['-9e', '-c'], { input: bytes, maxBuffer: 2 ** 28 });
  return status === 0 ? stdout.length : undefined;
}

/** Each text ends with the token that ends texts, as in the model's samples. */
async function fiveGrams({ train, test }: Texts, tokenizerFolder: string): Promise<number> {
  const tokenizer = openHuggingFaceTokenizer(tokenizerFolder);
  const tokensOf = (texts: readonly string[]): Int32Array =>
    Int32Array.from(texts.flatMap((text) => [...tokenizer.textToIds(text), tokenizer.eosId]));
  const model = new KneserNey(tokensOf(train), tokenizer.vocabSize);
  const bytes = test.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return model.bits(tokensOf(test)) / bytes;
}
