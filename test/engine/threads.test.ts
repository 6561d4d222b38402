// What is computed does not depend on how many threads compute it. Sizes are those at which ONNX Runtime really splits
// the work, values are small whole numbers, so that every sum is exact in any order.
import { describe, expect, it } from 'vitest';
import { OnnxEngine, type Tensors, tf } from '../../src/engine/index.js';

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
