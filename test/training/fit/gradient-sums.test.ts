// Gradients are sent while those of earlier layers are computed, and what is sent is what the update takes.
import { afterAll, describe, expect, it } from 'vitest';
import type { Communicator, Elements } from '../../../src/distributed/index.js';
import {
  float32,
  hostCall,
  OnnxEngine,
  State,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../../src/engine/index.js';
import { customGradient } from '../../../src/nn/index.js';
import { globalNorm } from '../../../src/optim/index.js';
import { GradientSums } from '../../../src/training/fit/gradient-sums.js';

/** A layer's weight fills a bucket. */
const WIDTH = 768;
const LAYERS = 3;
const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

/** Another rank of equal gradients, and a diary of what happens when. */
function doubling(diary: string[]): Communicator {
  return {
    startAllReduce: (x: Elements & { data: Float32Array }, _reduction: string, label: string) => {
      diary.push(`start ${label}`);
      return {
        test: () => false,
        wait: () => {
          diary.push(`wait ${label}`);
          x.data.forEach((value, i) => {
            x.data[i] = 2 * value;
          });
        },
      };
    },
  } as unknown as Communicator;
}

/** x, whose gradient is written down when it is computed. */
function probed(x: Tensor, name: string, diary: string[]): Tensor {
  return customGradient(
    [x],
    () => ({ value: tf.clone(x), saved: [] }),
    (dy) =>
      hostCall(
        name,
        ([given]) => {
          diary.push(name);
          return [given];
        },
        [dy],
        [{ dtype: 'float32', shape: dy.shape }],
      ),
  );
}

function programs(overlaps: boolean) {
  const diary: string[] = [];
  const layers = Array.from({ length: LAYERS }, (_, i) => i);
  const weights = layers.map(
    (i) =>
      new State(`layer ${i}`, [WIDTH, WIDTH], 'float32', () =>
        Float32Array.from({ length: WIDTH * WIDTH }, (_, k) => ((k * (i + 3)) % 17) / 170 - 0.04),
      ),
  );
  const accumulators = weights.map(({ name, shape }) => new State(`gradient/${name}`, shape));
  const sums = new GradientSums(accumulators, () => doubling(diary), overlaps);
  const micro = engine.compile(`micro-${overlaps}`, ({ x, keep }) => {
    const loss = () => {
      let y = x;
      for (const [i, weight] of weights.entries()) {
        y = probed(
          tf.tanh(tf.matMul(y as tf.Tensor2D, weight.tensor() as tf.Tensor2D)),
          `backward ${i}`,
          diary,
        );
      }
      return tf.sum(y) as tf.Scalar;
    };
    const { grads } = valueAndGrads(loss, weights);
    const sent = sums.sending(grads, keep);
    accumulators.forEach((sum, i) => {
      sum.assign(tf.add(tf.mul(sum.tensor(), keep), grads[i]));
    });
    return { norm: globalNorm(sent) };
  });
  const apply = engine.compile(`apply-${overlaps}`, () =>
    Object.fromEntries(sums.summed(() => true).map((sum, i) => [`sum${i}`, tf.clone(sum)])),
  );
  expect(sums.bytes).toBe(4 * LAYERS * WIDTH * WIDTH);
  const batch = (scale: number) =>
    float32(
      Float32Array.from({ length: 4 * WIDTH }, (_, k) => (scale * ((k % 7) - 3)) / 7),
      [4, WIDTH],
    );
  /** A step of two batches. */
  const step = async (allCount: boolean) => {
    diary.length = 0;
    sums.beginStep(2);
    for (const i of [0, 1]) {
      sums.beginBatch(i === 1);
      await micro.run({ x: batch(1 + i), keep: float32([i], []) });
    }
    sums.endBatches(allCount);
    const out = await apply.run({});
    return {
      diary: [...diary],
      sums: Object.values(out).map(({ data }) => Buffer.from(data.slice().buffer)),
    };
  };
  return { step };
}

describe('sums of gradients over ranks', () => {
  const isStart = (entry: string) => entry.startsWith('start');

  it('start while earlier layers are still differentiated, in the last batch of a step alone', async () => {
    const { diary } = await programs(true).step(true);
    expect(diary.filter((entry) => !entry.startsWith('wait'))).toEqual([
      'backward 2', 'backward 1', 'backward 0',
      'backward 2', 'start gradients of layer 2', 'backward 1', 'start gradients of layer 1', 'backward 0', 'start gradients of layer 0',
    ]); // biome-ignore format: one row a batch
    expect(diary.slice(-3)).toEqual([2, 1, 0].map((i) => `wait gradients of layer ${i}`));
  });

  it('are those of sums that start after the step, bit by bit', async () => {
    const [overlapped, plain] = [await programs(true).step(true), await programs(false).step(true)];
    expect(plain.diary.findIndex(isStart)).toBeGreaterThan(plain.diary.lastIndexOf('backward 0'));
    overlapped.sums.forEach((sum, i) => {
      expect(sum.equals(plain.sums[i])).toBe(true);
    });
  });

  it('are made again where a batch does not count after all', async () => {
    const { step } = programs(true);
    const { diary, sums } = await step(false);
    expect(diary.filter(isStart)).toHaveLength(2 * LAYERS);
    const plain = await programs(false).step(true);
    sums.forEach((sum, i) => {
      expect(sum.equals(plain.sums[i])).toBe(true);
    });
  });
});
