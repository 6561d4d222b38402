// Samples of indexed sets: Megatron's order, kept indices, blends, and sets of another vocabulary.
import { mkdtempSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  BlendedSamples,
  IndexedSamples,
  type IndexedSamplesOptions,
  type SampleSet,
} from '../../../src/data/index.js';
import { decodeNpy, IndexedDataset, IndexedDatasetWriter } from '../../../src/formats/index.js';

interface Run {
  readonly sizes: number[];
  readonly num_samples: number;
  readonly seq_length: number;
  readonly seed: number;
  readonly doc_idx: number[];
  readonly sample_idx: [number, number][];
  readonly shuffle_idx: number[];
}
const runs = (JSON.parse(readFileSync(new URL('../../golden/megatron_index.json', import.meta.url), 'utf8')) as { gpt_index_runs: Run[] }).gpt_index_runs; // biome-ignore format: one line

/** Token j of document i is 100 i + j. */
async function setOf(sizes: readonly number[]): Promise<string> {
  const prefix = join(mkdtempSync(join(tmpdir(), 'samples-')), 'set');
  const writer = await IndexedDatasetWriter.create(prefix, 5000);
  for (const [i, size] of sizes.entries()) {
    await writer.add(Array.from({ length: size }, (_, j) => 100 * i + j));
    writer.endSequence();
    writer.endDocument();
  }
  await writer.finish();
  return prefix;
}

async function samplesOf(prefix: string, more: Partial<IndexedSamplesOptions> = {}): Promise<IndexedSamples> {
  const set = await IndexedDataset.open(prefix);
  const all = { name: 'train', first: 0, end: set.lengths.length, length: 4, seed: 1234, shuffles: true, dropsLast: true, vocabSize: 5000 }; // biome-ignore format: one line
  return new IndexedSamples(set, { ...all, ...more });
}
const tokensOf = (samples: SampleSet, count: number): number[][] =>
  Array.from({ length: count }, (_, i) => [...samples.at(i)]);

describe('samples of a run', () => {
  it.each(runs.map((run, i) => [i, run] as const))(
    'are those of Megatron’s index: run %i',
    async (_, run) => {
      const prefix = await setOf(run.sizes);
      const options = {
        length: run.seq_length,
        seed: run.seed,
        samples: run.num_samples,
        cache: { prefix, split: 'train' },
      };
      const row = run.doc_idx.flatMap((i) => Array.from({ length: run.sizes[i] }, (_, j) => 100 * i + j));
      const starts = run.doc_idx.map((_, i) =>
        run.doc_idx.slice(0, i).reduce((sum, d) => sum + run.sizes[d], 0),
      );
      const expected = run.shuffle_idx.slice(0, run.num_samples).map((k) => {
        const [place, offset] = run.sample_idx[k];
        return row.slice(starts[place] + offset, starts[place] + offset + run.seq_length + 1);
      });
      expect(tokensOf(await samplesOf(prefix, options), run.num_samples)).toEqual(expected);
      const name = `_train_indexmap_${run.num_samples}ns_${run.seq_length}sl_${run.seed}s_`;
      const read = (kind: string) => decodeNpy(readFileSync(`${prefix}${name}${kind}_idx.npy`));
      expect([...read('doc').data]).toEqual(run.doc_idx);
      expect(read('sample')).toMatchObject({ dtype: '<i4', shape: [run.sample_idx.length, 2] });
      expect([...read('shuffle').data]).toEqual(run.shuffle_idx);
      // Read again, and made again where a file is damaged.
      expect(tokensOf(await samplesOf(prefix, options), run.num_samples)).toEqual(expected);
      truncateSync(`${prefix}${name}sample_idx.npy`, 140);
      expect(tokensOf(await samplesOf(prefix, options), run.num_samples)).toEqual(expected);
      expect(read('sample').shape).toEqual([run.sample_idx.length, 2]);
      expect(readdirSync(join(prefix, '..')).filter((file) => file.includes('partial'))).toEqual([]);
    },
  );
});

describe('samples without an end of the run', () => {
  it('come epoch by epoch, each in an order of its own, as a function of their number', async () => {
    const prefix = await setOf([9, 12, 7, 13]);
    const samples = await samplesOf(prefix);
    expect(samples.count).toBe(10);
    const run = tokensOf(samples, 30);
    const places = (part: number[][]) => part.map(([first]) => first).sort((a, b) => a - b);
    expect(new Set(places(run.slice(0, 10))).size).toBe(10);
    expect(run.slice(0, 10)).not.toEqual(run.slice(10, 20));
    const other = await samplesOf(prefix);
    expect([...other.at(27)]).toEqual(run[27]);
    expect([...other.at(3)]).toEqual(run[3]);
  });

  it('are read as they stand in evaluation, all of them once', async () => {
    const samples = await samplesOf(await setOf([3, 1, 6]), { shuffles: false, dropsLast: false });
    expect(tokensOf(samples, samples.count)).toEqual([
      [0, 1, 2, 100, 200],
      [200, 201, 202, 203, 204],
      [204, 205],
    ]);
  });

  it('come from a range of documents', async () => {
    const samples = await samplesOf(await setOf([3, 9, 9, 3]), { first: 1, end: 3, shuffles: false });
    expect(
      tokensOf(samples, samples.count)
        .flat()
        .every((token) => token >= 100 && token < 300),
    ).toBe(true);
  });
});

describe('blends', () => {
  it('give samples by weight, on through the epochs of their sets', async () => {
    const sets = [await samplesOf(await setOf([21])), await samplesOf(await setOf([0, 21]))];
    const blend = new BlendedSamples(sets, [3, 1], 8);
    const from = Array.from({ length: 16 }, (_, i) => Number(blend.at(i)[0] >= 100));
    expect(from).toEqual([0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]);
    const second = [1, 5, 9, 13].map((i) => [...blend.at(i)]);
    expect(second).toEqual([0, 1, 2, 3].map((i) => [...sets[1].at(i)]));
  });
});

describe('what does not fit is told:', () => {
  it('a set of another vocabulary, when it is read', async () => {
    const samples = await samplesOf(await setOf([9, 9]), { vocabSize: 50 });
    expect(() => tokensOf(samples, samples.count)).toThrow(
      /set\.bin: has the token 1\d\d; the tokenizer has 50 tokens/,
    );
  });
  it('documents that fill no sample', async () => {
    await expect(samplesOf(await setOf([2, 2]))).rejects.toThrow(
      /2 documents of .* with 4 tokens are no sample of 4 tokens/,
    );
  });
});
