// Gradients of reductions, softmax and matrix products. Written so that no full-size constant of ones is made.
import { type Tensor, tf } from '../tf.js';
import { expandReduced, type Gradient, parseAxes, scalar } from './gradient.js';

const extremum = (kernel: string, axisKey: string): Gradient => ({
  kernel,
  inputs: ['x'],
  output: true,
  backward: (dy, [x, y], attrs) => {
    const axes = parseAxes(attrs[axisKey], x.shape);
    const hit = tf.equal(x, expandReduced(y, x.shape, axes));
    return { x: () => tf.mul(expandReduced(dy, x.shape, axes), tf.cast(hit, 'float32')) };
  },
});

export const reductionGradients: readonly Gradient[] = [
  {
    kernel: 'Sum',
    inputs: ['x'],
    backward: (dy, [x], attrs) => {
      const axes = parseAxes(attrs['axis'], x.shape);
      return { x: () => tf.broadcastTo(expandReduced(dy, x.shape, axes), x.shape) };
    },
  },
  {
    kernel: 'Mean',
    inputs: ['x'],
    backward: (dy, [x], attrs) => {
      const axes = parseAxes(attrs['axis'], x.shape);
      const count = axes.reduce((n, axis) => n * x.shape[axis], 1);
      return {
        x: () => tf.broadcastTo(expandReduced(tf.mul(dy, scalar(1 / count)), x.shape, axes), x.shape),
      };
    },
  },
  extremum('Max', 'reductionIndices'),
  extremum('Min', 'axis'),
  {
    kernel: 'Softmax',
    output: true,
    backward: (dy, [y], attrs) => {
      const axis = (attrs as { dim: number }).dim;
      return {
        logits: () => {
          const weighted = tf.mul(dy, y);
          return tf.sub(weighted, tf.mul(tf.sum(weighted, [axis], true), y));
        },
      };
    },
  },
  {
    kernel: 'LogSoftmax',
    output: true,
    backward: (dy, [y], attrs) => {
      const axis = (attrs as { axis: number }).axis;
      return { logits: () => tf.sub(dy, tf.mul(tf.sum(dy, [axis], true), tf.exp(y))) };
    },
  },
  {
    kernel: 'Cumsum',
    inputs: ['x'],
    backward: (dy, _saved, attrs) => {
      const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
      return { x: () => tf.cumsum(dy, axis, exclusive, !reverse) };
    },
  },
  {
    kernel: 'BatchMatMul',
    inputs: ['a', 'b'],
    backward: (dy, [a, b], attrs) => {
      const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
      const da = () =>
        transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB);
      const db = () =>
        transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false);
      return { a: () => sumBatch(da(), a.shape), b: () => sumBatch(db(), b.shape) };
    },
  },
];

/** Sums over batch axes that were broadcast. */
function sumBatch(gradient: Tensor, shape: readonly number[]): Tensor {
  const axes = tf.broadcast_util.getReductionAxes([...shape], gradient.shape);
  return axes.length > 0 ? tf.reshape(tf.sum(gradient, axes), [...shape]) : gradient;
}
