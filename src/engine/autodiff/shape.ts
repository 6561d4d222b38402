// Gradients of kernels that move values around without changing them.
import { type Tensor, tf } from '../tf.js';
import { type Gradient, parseAxes } from './gradient.js';

export const shapeGradients: readonly Gradient[] = [
  { kernel: 'Reshape', inputs: ['x'], backward: (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) }) },
  {
    kernel: 'ExpandDims',
    inputs: ['input'],
    backward: (dy, [x]) => ({ input: () => tf.reshape(dy, x.shape) }),
  },
  {
    kernel: 'Transpose',
    backward: (dy, _saved, attrs) => {
      const perm = (attrs as { perm: number[] }).perm;
      const inverse = perm.map((_, i) => perm.indexOf(i));
      return { x: () => tf.transpose(dy, inverse) };
    },
  },
  {
    kernel: 'Concat',
    saveAllInputs: true,
    backward: (dy, saved, attrs) => {
      const axis = parseAxes((attrs as { axis: number }).axis, saved[0].shape)[0];
      const parts = tf.split(
        dy,
        saved.map((x) => x.shape[axis]),
        axis,
      );
      return Object.fromEntries(parts.map((part, i) => [String(i), () => part]));
    },
  },
  {
    kernel: 'SplitV',
    backward: (_dy, _saved, attrs, dys) => ({ x: () => tf.concat(dys, (attrs as { axis: number }).axis) }),
  },
  {
    kernel: 'Pack',
    saveAllInputs: true,
    backward: (dy, _saved, attrs) => {
      const parts = tf.unstack(dy, (attrs as { axis: number }).axis);
      return Object.fromEntries(parts.map((part, i) => [String(i), () => part]));
    },
  },
  {
    kernel: 'Unpack',
    backward: (_dy, _saved, attrs, dys) => ({ value: () => tf.stack(dys, (attrs as { axis: number }).axis) }),
  },
  {
    kernel: 'PadV2',
    inputs: ['x'],
    backward: (dy, [x], attrs) => {
      const begin = (attrs as { paddings: [number, number][] }).paddings.map(([before]) => before);
      return { x: () => tf.slice(dy, begin, x.shape) };
    },
  },
  {
    kernel: 'Slice',
    inputs: ['x'],
    backward: (dy, [x], attrs) => {
      const { begin, size } = attrs as { begin: number[]; size: number[] };
      const [start, length] = tf.slice_util.parseSliceParams(x, begin, size);
      const paddings = start.map((b, i): [number, number] => [b, x.shape[i] - b - length[i]]);
      return { x: () => tf.pad(dy, paddings) };
    },
  },
  {
    kernel: 'Tile',
    inputs: ['x'],
    backward: (dy, [x], attrs) => {
      const reps = (attrs as { reps: number[] }).reps;
      const interleaved = x.shape.flatMap((dim, i) => [reps[i], dim]);
      const axes = x.shape.map((_, i) => 2 * i);
      return { x: () => tf.sum(tf.reshape(dy, interleaved), axes) };
    },
  },
  {
    kernel: 'BroadcastTo',
    backward: (dy, _saved, attrs) => {
      const { inputShape, shape } = attrs as { inputShape: number[]; shape: number[] };
      const axes = inputShape.flatMap((dim, i) => (dim === 1 && shape[i] > 1 ? [i] : []));
      return { x: () => tf.reshape(axes.length > 0 ? tf.sum(dy, axes, true) : dy, inputShape) };
    },
  },
  {
    kernel: 'Reverse',
    backward: (dy, _saved, attrs) => ({ x: () => tf.reverse(dy, (attrs as { dims: number[] }).dims) }),
  },
  {
    kernel: 'GatherV2',
    inputs: ['x', 'indices'],
    backward: (dy, [x, indices], attrs) => {
      const { axis, batchDims } = attrs as { axis: number; batchDims: number };
      if (batchDims) throw new Error('gather with batchDims has no gradient; use oneHot and matMul');
      const at = parseAxes(axis, x.shape)[0];
      return { x: () => gatherGradient(dy, x, indices, at), indices: () => tf.zerosLike(indices) };
    },
  },
  {
    kernel: 'UnsortedSegmentSum',
    inputs: ['segmentIds'],
    backward: (dy, [segmentIds]) => ({
      x: () => tf.gather(dy, segmentIds as tf.Tensor1D),
      segmentIds: () => tf.zerosLike(segmentIds),
    }),
  },
];

/** Rows of dy added into the rows of x they were gathered from. */
function gatherGradient(dy: Tensor, x: Tensor, indices: Tensor, axis: number): Tensor {
  const outerShape = x.shape.slice(0, axis);
  const innerShape = x.shape.slice(axis + 1);
  const rows = tf.reshape(dy, [...outerShape, indices.size, ...innerShape]);
  const rank = outerShape.length + 1 + innerShape.length;
  const front = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const summed = tf.unsortedSegmentSum(
    tf.transpose(rows, front),
    tf.reshape(indices, [indices.size]) as tf.Tensor1D,
    x.shape[axis],
  );
  return tf.transpose(
    summed,
    front.map((_, i) => front.indexOf(i)),
  );
}
