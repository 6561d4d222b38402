// Samples of text: their order, their masks, and files that are none.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  RowSamples,
  type RowSamplesOptions,
  readTokenSet,
  TokenSource,
  type TokenSourceOptions,
} from '../../src/data/index.js';
import { ByteTokenizer } from '../../src/text/index.js';

const folder = mkdtempSync(join(tmpdir(), 'texts-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const row = (count: number) => ({
  tokens: Int32Array.from({ length: count }, (_, i) => i),
  bytes: count,
  documents: 1,
});
const samples = (set: ReturnType<typeof row>, more: Partial<RowSamplesOptions> = {}) =>
  new RowSamples(set, { name: 'train', length: 4, shuffles: true, seed: 7, dropsLast: true, ...more });
const source = (
  count: number,
  { seed = 7, ...more }: Partial<TokenSourceOptions & RowSamplesOptions> = {},
) => {
  const { training = true } = more;
  const set = samples(row(count), { seed, shuffles: training, dropsLast: training });
  return new TokenSource(set, { name: 'train', length: 4, batchSize: 3, training: true, ...more });
};

/** The first token of each sample, which says where it lies. */
async function starts(of: TokenSource, epoch: number, from = 0): Promise<number[]> {
  const all: number[] = [];
  for await (const { inputs } of of.epoch(epoch, from))
    for (let i = 0; i < inputs['tokens'].shape[0]; i++)
      all.push((inputs['tokens'].data[4 * i] as number) / 4);
  return all;
}

describe('the order of samples', () => {
  it('is one of the run: every sample comes once before any comes again, whatever batches make of it', async () => {
    const text = source(4 * 10 + 1);
    const run = [...(await starts(text, 0)), ...(await starts(text, 1)), ...(await starts(text, 2)), ...(await starts(text, 3))]; // biome-ignore format: one line
    for (const first of [0, 10, 20])
      expect([...run.slice(first, first + 10)].sort((a, b) => a - b)).toEqual([...Array(10).keys()]);
    expect(run.slice(0, 10)).not.toEqual(run.slice(10, 20));
    const single = source(4 * 10 + 1, { batchSize: 1 });
    expect([...(await starts(single, 0)), ...(await starts(single, 1))]).toEqual(run.slice(0, 20));
  });

  it('goes on at the next sample, with another object too', async () => {
    const whole = await starts(source(81), 1);
    expect(await starts(source(81), 1, 2)).toEqual(whole.slice(6));
  });

  it('depends on the seed, and is that of the text in evaluation', async () => {
    expect(await starts(source(81, { seed: 8 }), 0)).not.toEqual(await starts(source(81), 0));
    expect(await starts(source(81, { training: false }), 0)).toEqual([...Array(20).keys()]);
  });
});

describe('a sample', () => {
  it('has as labels what comes next, and pads a rest that is not left out', async () => {
    const batches = [];
    for await (const batch of source(11, { training: false, end: 99 }).epoch(0)) batches.push(batch);
    const { inputs, units } = batches[0];
    expect([...inputs['tokens'].data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99, 99].map((v, i) => (i === 10 || i === 11 ? 99 : v))); // biome-ignore format: one line
    expect([...inputs['labels'].data].slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect([...inputs['lossMask'].data]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    expect(units).toBe(10);
  });

  it('tells positions and documents after an end, which may be no target', async () => {
    const set = { tokens: Int32Array.from([5, 9, 6, 7, 9]), bytes: 5, documents: 2 };
    const options = { name: 'train', length: 4, batchSize: 1, training: false, end: 9, masksEnd: true, resetsPositions: true, separatesDocuments: true }; // biome-ignore format: one line
    for await (const { inputs } of new TokenSource(samples(set, { shuffles: false }), options).epoch(0)) {
      expect([...inputs['positions'].data]).toEqual([0, 1, 0, 1]);
      expect([...inputs['documents'].data]).toEqual([0, 0, 1, 1]);
      expect([...inputs['lossMask'].data]).toEqual([0, 1, 1, 0]);
    }
  });
});

describe('text files', () => {
  const bytes = new ByteTokenizer();
  const read = (...paths: string[]) =>
    readTokenSet(paths, { encode: (text) => bytes.textToIds(text), end: 258, jsonKey: 'text' });

  it('are documents, or have one a line, packed or not', async () => {
    const text = await read(file('a.txt', 'ab\nc'), file('b.jsonl', '{"text": "ü"}\n\n{"text": "d"}\n'));
    expect([...text.tokens]).toEqual([97, 98, 10, 99, 10, 258, 195, 188, 258, 100, 258]);
    expect(text).toMatchObject({ bytes: 8, documents: 3 });
    const packed = await read(file('c.txt.gz', gzipSync('ab\nc')));
    expect([...packed.tokens]).toEqual([97, 98, 10, 99, 10, 258]);
  });

  it.each([
    ['a file that is missing', () => join(folder, 'none.txt'), /cannot be read/],
    ['a packed file that is missing', () => join(folder, 'none.txt.gz'), /cannot be read/],
    ['a file that is not packed', () => file('d.txt.gz', 'plain'), /cannot be read/],
    ['a line that is no JSON', () => file('e.jsonl', '{"text": "a"}\nno\n'), /e\.jsonl:2/],
    ['a line without a text', () => file('f.jsonl', '{"body": "a"}\n'), /under "text"/],
    ['no text at all', () => file('g.txt', ''), /no text/],
  ])('says what is wrong: %s', async (_, path, expected) => {
    const failure = await read(path()).catch((error: unknown) => error);
    expect(String((failure as { toString(): string }).toString())).toMatch(expected);
  });

  it('refuses a set that fills no sample', () => {
    expect(() => source(4)).toThrow(/4 tokens are no sample/);
  });
});
