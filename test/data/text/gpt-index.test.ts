// Megatron's indices and NumPy's generator, against what they gave.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { blendCounts, blendIndex, gptIndex, splitBounds } from '../../../src/data/text/gpt-index.js';
import { MersenneTwister } from '../../../src/random/index.js';

interface Run {
  readonly sizes: number[];
  readonly num_samples: number;
  readonly seq_length: number;
  readonly seed: number;
  readonly doc_idx: number[];
  readonly sample_idx: number[][];
  readonly shuffle_idx: number[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/megatron_index.json', import.meta.url), 'utf8'),
) as {
  gpt_index_runs: Run[];
  randomstate_1234_shuffle16_twice: number[][];
  randomstate_1234_first_uint32: number[];
  randomstate_1234_random_sample: number[];
};

describe('NumPy’s RandomState', () => {
  it('gives its bits, its uniform numbers and its shuffles', () => {
    const bits = new MersenneTwister(1234);
    expect(golden.randomstate_1234_first_uint32.map(() => bits.uint32())).toEqual(
      golden.randomstate_1234_first_uint32,
    );
    const uniform = new MersenneTwister(1234);
    expect(golden.randomstate_1234_random_sample.map(() => uniform.random())).toEqual(
      golden.randomstate_1234_random_sample,
    );
    const shuffled = new MersenneTwister(1234);
    for (const order of golden.randomstate_1234_shuffle16_twice) {
      const values = Int32Array.from({ length: 16 }, (_, i) => i);
      shuffled.shuffle(values);
      expect([...values]).toEqual(order);
    }
  });
});

describe('indices of samples', () => {
  it.each(golden.gpt_index_runs.map((run, i) => [i, run] as const))('are Megatron’s: run %i', (_, run) => {
    const index = gptIndex({
      sizes: run.sizes,
      samples: run.num_samples,
      length: run.seq_length,
      seed: run.seed,
    });
    expect([...index.documents]).toEqual(run.doc_idx);
    expect([...index.samples]).toEqual(run.sample_idx.flat());
    expect([...index.shuffle]).toEqual(run.shuffle_idx);
  });

  it('have a short sample at the end where the rest is kept', () => {
    const index = gptIndex({
      sizes: [5, 5],
      samples: 3,
      length: 4,
      seed: 1,
      shuffles: false,
      dropsLast: false,
    });
    expect([...index.samples]).toEqual([0, 0, 0, 4, 1, 3, 1, 4]);
    expect([...index.shuffle]).toEqual([0, 1, 2]);
  });
});

describe('splits', () => {
  it('are rounded as Python rounds, and end with the last document', () => {
    expect(splitBounds([900, 50, 50], 1000)).toEqual([0, 900, 950, 1000]);
    expect(splitBounds([98, 2, 0], 25)).toEqual([0, 25, 25, 25]);
    // 24.5 is rounded to 24, 2.5 to 2; what is missing is moved to the first split.
    expect(splitBounds([50, 50, 0], 5)).toEqual([0, 3, 5, 5]);
  });
});

describe('blends', () => {
  it('take from the set that is furthest behind', () => {
    const { sets, samples } = blendIndex([3, 1], 8);
    expect([...sets]).toEqual([0, 1, 0, 0, 0, 1, 0, 0]);
    expect([...samples]).toEqual([0, 0, 1, 2, 3, 1, 4, 5]);
    expect(blendCounts([3, 1], 1000)).toEqual([754, 252]);
  });
});
