import { describe, expect, it } from 'vitest';
import {
  type BatchingConfig,
  BatchPlanner,
  bucketBatchSizes,
  estimateEpoch,
  optimalRungs,
  type PlannedSet,
  roundUpToRung,
  rungsFromBounds,
  tokenRungs,
} from '../../../src/data/index.js';
import { CounterRandom } from '../../../src/random/index.js';

/** Durations 1 to 16 s, transcripts of about 3 tokens a second. */
function set(count: number, stretch?: PlannedSet['stretch']): PlannedSet {
  const random = new CounterRandom(5, 'durations');
  const seconds = Float64Array.from({ length: count }, (_, i) => 1 + 15 * random.uniform(i) ** 2);
  const tokens = Int32Array.from(seconds, (s, i) => Math.round(3 * s + 2 * random.uniform(count + i)));
  return { seconds, tokens, frames: (s) => Math.floor(s * 100), frameSeconds: 0.01, stretch };
}
const planner = (data: PlannedSet, config: Partial<BatchingConfig>, seed = 1) =>
  new BatchPlanner(data, { shuffle: true, ...config }, seed);
const order = (p: BatchPlanner, epoch: number) => p.plan(epoch).flatMap((b) => [...b.indices]);
const ascending = (list: number[]) => [...list].sort((a, b) => a - b);

describe('rungs', () => {
  it('pad as little as the best choice of bounds', () => {
    const lengths = [8, 8, 8, 16, 24, 80, 80, 96, 200];
    const cost = (rungs: number[]) => lengths.reduce((sum, n) => sum + roundUpToRung(n, rungs), 0);
    const candidates = Array.from({ length: 24 }, (_, i) => 8 * (i + 1));
    let best = Number.POSITIVE_INFINITY;
    for (const a of candidates)
      for (const b of candidates) best = Math.min(best, cost(ascending([a, b, 200])));
    expect(cost(optimalRungs(lengths, 3))).toBe(best);
    expect(optimalRungs(lengths, 1)).toEqual([200]);
    expect(optimalRungs([5], 4)).toEqual([8]);
    expect(optimalRungs([], 4)).toEqual([]);
  });

  it('go on above the last bound', () => {
    expect(rungsFromBounds([100, 300], 250)).toEqual([104, 304]);
    expect(rungsFromBounds([100, 300], 450)).toEqual([104, 304, 456]);
    expect(roundUpToRung(300, [104, 304])).toBe(304);
    expect(roundUpToRung(305, [104, 304])).toBe(344);
    expect(roundUpToRung(345, [104, 304])).toBe(392);
  });

  it('give tokens a second width only for a few long transcripts', () => {
    expect(tokenRungs([3, 5, 9])).toEqual([12]);
    expect(tokenRungs([...Array<number>(200).fill(10), 60])).toEqual([12, 60]);
    expect(tokenRungs([0])).toEqual([4]);
  });
});

describe('batch sizes', () => {
  it('follow the duration budget, its bound, the quadratic rule or a list', () => {
    const bounds = [1, 5, 20];
    expect(bucketBatchSizes({ batch_size: 3 }, bounds)).toEqual([3, 3, 3]);
    expect(bucketBatchSizes({ batch_duration: 16, batch_size: 3 }, bounds)).toEqual([16, 3, 1]);
    expect(bucketBatchSizes({ batch_duration: 16, max_batch_size: 8 }, bounds)).toEqual([8, 3, 1]);
    expect(bucketBatchSizes({ batch_duration: 40, quadratic_duration: 5 }, bounds)).toEqual([33, 4, 1]);
    expect(bucketBatchSizes({ bucket_batch_size: [9, 4] }, bounds)).toEqual([9, 4, 4]);
    expect(bucketBatchSizes({ bucketing_batch_size: 2 }, bounds)).toEqual([6, 4, 2]);
  });
});

describe('a plan', () => {
  it('has every utterance once and depends on seed and epoch only', () => {
    const data = set(203);
    for (const config of [{ batch_size: 8 }, { batch_duration: 60 }, { batch_size: 8, num_buckets: 1 }]) {
      const p = planner(data, config);
      expect(ascending(order(p, 3))).toEqual(Array.from({ length: 203 }, (_, i) => i));
      expect(order(planner(data, config), 3)).toEqual(order(p, 3));
      expect(order(p, 4)).not.toEqual(order(p, 3));
      expect(order(planner(data, config, 2), 3)).not.toEqual(order(p, 3));
    }
  });

  it('holds a fixed set in one order, and in that of the manifest without buckets', () => {
    const data = set(50);
    const p = planner(data, { batch_size: 8, shuffle: false });
    expect(order(p, 1)).toEqual(order(p, 0));
    const plain = planner(data, { batch_size: 8, shuffle: false, num_buckets: 1 });
    expect(order(plain, 0)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('has few shapes over many epochs, one of them not full, and little padding', () => {
    const data = set(1000);
    const p = planner(data, { batch_size: 16, num_buckets: 8 });
    const shapes = new Set<string>();
    for (let epoch = 0; epoch < 5; epoch++) {
      const plan = p.plan(epoch);
      expect(plan.filter((b) => b.indices.length !== 16).map((b) => b.indices.length)).toEqual([8]);
      for (const { indices, frames, tokens } of plan) {
        for (const i of indices) {
          expect(data.frames(data.seconds[i])).toBeLessThanOrEqual(frames);
          expect(data.tokens[i]).toBeLessThanOrEqual(tokens);
        }
        shapes.add(`${indices.length}x${frames}x${tokens}`);
      }
    }
    expect(shapes.size).toBeLessThanOrEqual(9);
    const estimate = estimateEpoch(p, data);
    expect(estimate.framePadding).toBeLessThan(0.15);
    expect(estimate.batches).toBe(63);
    expect(estimate.utterances).toBe(1000);
    expect(estimate.shapes.reduce((sum, s) => sum + s.count, 0)).toBe(63);
    const mixed = planner(data, { batch_size: 16, num_buckets: 1 });
    expect(estimateEpoch(mixed, data).framePadding).toBeGreaterThan(0.4);
  });

  it('keeps to the duration budget, padding included', () => {
    const data = set(500);
    for (const { indices, frames } of planner(data, { batch_duration: 40 }).plan(0)) {
      expect(indices.length * frames * 0.01).toBeLessThanOrEqual(40);
    }
  });

  it('foresees stretching: utterances fit, shapes stay few', () => {
    const factors = [0.8, 0.9, 1, 1.1, 1.25];
    const stretch = (epoch: number, i: number) =>
      factors[new CounterRandom(9).derive(epoch, i).integer(0, 5)];
    const data = set(600, stretch);
    const p = planner(data, { batch_size: 8, num_buckets: 6 });
    const shapes = new Set<string>();
    for (let epoch = 0; epoch < 5; epoch++) {
      for (const { indices, frames, tokens } of p.plan(epoch)) {
        for (const i of indices)
          expect(data.frames(data.seconds[i] * stretch(epoch, i))).toBeLessThanOrEqual(frames);
        shapes.add(`${indices.length}x${frames}x${tokens}`);
      }
    }
    expect(shapes.size).toBeLessThanOrEqual(16);
  });

  it('drops what does not fill a batch, and goes from short to long, as configured', () => {
    const data = set(100);
    const p = planner(data, { batch_size: 16, drop_last: true, bucketing_strategy: 'fixed_order' });
    const plan = p.plan(0);
    expect(plan.map((b) => b.indices.length)).toEqual(Array(6).fill(16));
    const frames = plan.map((b) => b.frames);
    expect(frames).toEqual(ascending(frames));
  });

  it('uses given bounds', () => {
    const data = set(300);
    const p = planner(data, { batch_size: 4, bucket_duration_bins: [2, 5, 10] });
    expect(p.rungs.slice(0, 3)).toEqual([208, 504, 1008]);
    expect(p.rungs).toHaveLength(4);
  });
});
