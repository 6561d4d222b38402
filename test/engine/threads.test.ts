// What is computed does not depend on how many threads compute it. Sizes are those at which ONNX Runtime really splits
// the work, values are small whole numbers, so that every sum is exact in any order.

import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { float32, OnnxEngine, State, type Tensors, tf } from '../../src/engine/index.js';

const THREADS = [1, 2, 8];
/** A lost addition does not show in every run, nor in every session. */
const SESSIONS = 3;
const RUNS = 8;

const ROWS = 2000;
const WIDTH = 384;
const COUNT = 1025;

/** Few distinct ids, the small ones most often: as words in a text. */
const ids = Int32Array.from({ length: ROWS }, (_, i) => Math.floor(((i * 7919) % ROWS) ** 2 / ROWS ** 2 * 40)); // biome-ignore format: one formula
const updates = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => ((i * 31) >>> 3) % 8);

/** Rows of `updates` added by id in double precision, [COUNT, WIDTH]. */
function expectedSums(): Float32Array {
  const sums = new Float64Array(COUNT * WIDTH);
  for (let i = 0; i < ROWS * WIDTH; i++) {
    sums[ids[Math.floor(i / WIDTH)] * WIDTH + (i % WIDTH)] += updates[i];
  }
  return Float32Array.from(sums);
}

const inputs = {
  ids: { dtype: 'int32', shape: [ROWS], data: ids },
  updates: { dtype: 'float32', shape: [ROWS, WIDTH], data: updates },
} as const;

const programs: Record<string, (inputs: Tensors) => tf.Tensor> = {
  'sums of rows by id': ({ ids, updates }) => tf.unsortedSegmentSum(updates, ids as tf.Tensor1D, COUNT),
  'the gradient of a look-up': ({ ids, updates }) => {
    const looked = (table: tf.Tensor) => tf.sum(tf.mul(tf.gather(table, ids as tf.Tensor1D), updates));
    return tf.grad(looked)(tf.zeros([COUNT, WIDTH]));
  },
  'the gradient of a look-up along the second axis': ({ ids, updates }) => {
    const looked = (table: tf.Tensor) =>
      tf.sum(tf.mul(tf.gather(table, ids as tf.Tensor1D, 1), tf.transpose(updates)));
    return tf.transpose(tf.grad(looked)(tf.zeros([WIDTH, COUNT])));
  },
};

describe('repeated indices lose nothing', () => {
  const expected = expectedSums();
  for (const threads of THREADS) {
    it.each(Object.entries(programs))(`at ${threads} threads: %s`, async (name, fn) => {
      for (let session = 0; session < SESSIONS; session++) {
        const engine = new OnnxEngine({ threads });
        const program = engine.compile(name, (inputs) => ({ sums: fn(inputs) }));
        for (let run = 0; run < RUNS; run++) {
          const { sums } = await program.run(inputs);
          expect(differences(sums.data as Float32Array, expected)).toBe(0);
        }
        await engine.dispose();
      }
    });
  }
});

function differences(actual: Float32Array, expected: Float32Array): number {
  return expected.reduce((count, value, i) => count + (actual[i] === value ? 0 : 1), 0);
}

describe('a run that waits for its weights', () => {
  const [depth, width] = [512, 2048];
  const random = (count: number, seed: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * i + seed));
  const weight = new State('w', [width, depth], 'float32', () => random(width * depth, 1));
  const product = ({ x }: Tensors) => ({ y: tf.matMul(x, weight.tensor(), false, true) });
  const rows = (count: number) => ({ x: float32(random(count * depth, 2), [count, depth]) });

  it('has the bits that it has with all threads, alone and among other rows', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const [all, spared] = [false, true].map((sparesThreads) =>
      engine.compile('product', product, { constantStates: true, sparesThreads }),
    );
    const eight = (await all.run(rows(8)))['y'].data as Float32Array;
    for (const count of [1, 2, 8])
      for (const program of [all, spared])
        expect((await program.run(rows(count)))['y'].data).toEqual(eight.slice(0, count * width));
    await engine.dispose();
  });

  it.runIf(process.platform === 'linux')('has half of the threads', async () => {
    const threads = () => readdirSync('/proc/self/task').length;
    // Another number than that of the pool which sessions of the process share, so that these have their own.
    const engine = new OnnxEngine({ threads: 6 });
    const program = engine.compile('product', product, { constantStates: true, sparesThreads: true });
    const before = threads();
    await program.run(rows(1));
    expect(threads()).toBe(before + 2);
    await program.run(rows(8));
    expect(threads()).toBe(before + 2 + 5);
    await engine.dispose();
  });
});
