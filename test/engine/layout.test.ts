import { describe, expect, it } from 'vitest';
import { registerGradients } from '../../src/engine/autodiff/index.js';
import { createReferenceEngine, float32, OnnxEngine, type Tensors, tf } from '../../src/engine/index.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { CounterRandom } from '../../src/random/index.js';

const random = new CounterRandom(3);
const values = (shape: number[], key: string) =>
  float32(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => random.derive(key).normal(i)),
    shape,
  );
const inputs = {
  x: values([2, 9, 7, 3], 'x'),
  first: values([3, 3, 3, 16], 'first'),
  second: values([3, 3, 16, 4], 'second'),
  bias: values([16], 'bias'),
  mask: values([2, 5, 1, 1], 'mask'),
};

/** As convolutional subsampling does it: convolution, bias, ReLU, mask, convolution. */
function twoConvolutions({ x, first, second, bias, mask }: Tensors): Tensors {
  const conv = (a: tf.Tensor, filter: tf.Tensor) =>
    tf.conv2d(a as tf.Tensor4D, filter as tf.Tensor4D, 2, [[0, 0], [1, 1], [1, 1], [0, 0]] as never); // biome-ignore format: one call
  const y = tf.mul(tf.relu(tf.add(conv(x, first), bias)), mask);
  return { y, z: conv(y, second) };
}

describe('the order of axes around convolutions', () => {
  it('is kept from one convolution to the next', () => {
    registerGradients();
    const traced = trace((given) => ({ z: twoConvolutions(given)['z'] }), inputs);
    const ops = traced.segments[0].nodes.map(({ op, inputs: names }) => `${op}/${names.length}`);
    // One before the first convolution, one after the last, one of each filter, and one of the small mask.
    expect(ops.filter((op) => op === 'Transpose/1')).toHaveLength(5);
    expect(ops.filter((op) => op.startsWith('Conv'))).toEqual(['Conv/3', 'Conv/2']);
    expect(ops).not.toContain('Add/2');
  });

  it('changes no result', async () => {
    const engines = [new OnnxEngine({ threads: 1 }), createReferenceEngine()];
    const [ours, reference] = await Promise.all(
      engines.map((engine) => engine.compile('two', twoConvolutions).run(inputs)),
    );
    for (const key of ['y', 'z']) {
      expect(ours[key].shape).toEqual(reference[key].shape);
      const off = Array.from(ours[key].data, (v, i) => Math.abs(v - reference[key].data[i]));
      expect(Math.max(...off)).toBeLessThan(1e-4);
    }
    await Promise.all(engines.map((engine) => engine.dispose()));
  });
});
