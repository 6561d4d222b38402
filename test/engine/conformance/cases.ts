// What every engine must compute: one case per kernel the library uses (and the shapes that tripped engines
// before). Values avoid kinks, so that finite differences are valid where a gradient is asked for.
import { bernoulliMask, hostCall, scan, type Tensor, tf } from '../../../src/engine/index.js';

export interface Case {
  readonly name: string;
  /** Shapes of float inputs; values are a smooth deterministic function in (-1, 1). */
  readonly shapes: readonly (readonly number[])[];
  /** Integer inputs: shape and exclusive upper bound. */
  readonly ints?: readonly { shape: readonly number[]; below: number }[];
  readonly fn: (x: Tensor[], ints: Tensor[]) => Tensor;
  /** Compare gradients of Σ fn · weights too. Default true. */
  readonly gradient?: boolean;
}

const positive = (x: Tensor): Tensor => tf.add(tf.square(x), tf.scalar(0.5));
const unary = (name: string, f: (x: Tensor) => Tensor, gradient = true): Case => ({
  name,
  shapes: [[3, 4]],
  fn: ([x]) => f(x),
  gradient,
});
const binary = (name: string, f: (a: Tensor, b: Tensor) => Tensor, gradient = true): Case[] => [
  {
    name,
    shapes: [
      [3, 4],
      [3, 4],
    ],
    fn: ([a, b]) => f(a, b),
    gradient,
  },
  { name: `${name} broadcast row`, shapes: [[3, 4], [4]], fn: ([a, b]) => f(a, b), gradient },
  {
    name: `${name} broadcast both`,
    shapes: [
      [3, 1, 2],
      [4, 1],
    ],
    fn: ([a, b]) => f(a, b),
    gradient,
  },
  { name: `${name} scalar`, shapes: [[3, 4], []], fn: ([a, b]) => f(a, b), gradient },
];

export const cases: readonly Case[] = [
  ...binary('add', (a, b) => tf.add(a, b)),
  ...binary('sub', (a, b) => tf.sub(a, b)),
  ...binary('mul', (a, b) => tf.mul(a, b)),
  ...binary('div', (a, b) => tf.div(a, positive(b))),
  ...binary('maximum', (a, b) => tf.maximum(a, tf.add(b, tf.scalar(0.13)))),
  ...binary('minimum', (a, b) => tf.minimum(a, tf.add(b, tf.scalar(0.13)))),
  ...binary('squaredDifference', (a, b) => tf.squaredDifference(a, b)),
  ...binary('pow', (a, b) => tf.pow(positive(a), b)),
  ...binary('greater', (a, b) => tf.cast(tf.greater(a, b), 'float32'), false),
  ...binary('greaterEqual', (a, b) => tf.cast(tf.greaterEqual(a, b), 'float32'), false),
  ...binary('less', (a, b) => tf.cast(tf.less(a, b), 'float32'), false),
  ...binary('lessEqual', (a, b) => tf.cast(tf.lessEqual(a, b), 'float32'), false),
  ...binary('equal', (a, b) => tf.cast(tf.equal(tf.sign(a), tf.sign(b)), 'float32'), false),
  ...binary('notEqual', (a, b) => tf.cast(tf.notEqual(tf.sign(a), tf.sign(b)), 'float32'), false),
  ...binary(
    'logical',
    (a, b) =>
      tf.cast(
        tf.logicalOr(tf.logicalAnd(tf.greater(a, 0), tf.greater(b, 0)), tf.logicalNot(tf.less(a, b))),
        'float32',
      ),
    false,
  ),
  ...binary('floorDiv', (a, b) => tf.floorDiv(a, positive(b)), false),
  unary('neg', tf.neg),
  unary('abs', tf.abs),
  unary('sign', tf.sign, false),
  unary('exp', tf.exp),
  unary('expm1', tf.expm1),
  unary('log', (x) => tf.log(positive(x))),
  unary('log1p', (x) => tf.log1p(positive(x))),
  unary('sqrt', (x) => tf.sqrt(positive(x))),
  unary('rsqrt', (x) => tf.rsqrt(positive(x))),
  unary('reciprocal', (x) => tf.reciprocal(positive(x))),
  unary('square', tf.square),
  unary('sigmoid', tf.sigmoid),
  unary('tanh', tf.tanh),
  unary('relu', tf.relu),
  unary('relu6', (x) => tf.relu6(tf.mul(x, 8))),
  unary('leakyRelu', (x) => tf.leakyRelu(x, 0.1)),
  unary('elu', tf.elu),
  unary('softplus', tf.softplus),
  unary('erf', tf.erf),
  unary('sin', tf.sin),
  unary('cos', tf.cos),
  unary('floor', (x) => tf.floor(tf.mul(x, 3)), false),
  unary('ceil', (x) => tf.ceil(tf.mul(x, 3)), false),
  unary('round', (x) => tf.round(tf.mul(x, 3)), false),
  unary('isFinite', (x) => tf.cast(tf.isFinite(tf.div(x, tf.relu(x))), 'float32'), false),
  unary('clipByValue', (x) => tf.clipByValue(x, -0.5, 0.5)),
  unary('step', (x) => tf.step(x, 0.5), false),
  unary('cast to int', (x) => tf.cast(tf.cast(tf.mul(x, 5), 'int32'), 'float32'), false),
  unary('zerosLike, onesLike, fill', (x) =>
    tf.add(tf.mul(x, tf.onesLike(x)), tf.add(tf.zerosLike(x), tf.fill([3, 4], 0.25))),
  ),
  unary('reshape chain', (x) => tf.mul(tf.reshape(tf.reshape(x, [12]), [2, 6]), tf.reshape(x, [2, 6]))),
  unary('expandDims, squeeze', (x) => tf.squeeze(tf.expandDims(x, 1), [1])),
  unary('transpose', (x) => tf.transpose(x)),
  unary('slice', (x) => tf.slice(x, [1, 0], [2, 3])),
  unary('pad', (x) =>
    tf.pad(
      x,
      [
        [1, 0],
        [0, 2],
      ],
      0.5,
    ),
  ),
  unary('tile', (x) => tf.tile(x, [2, 3])),
  unary('broadcastTo', (x) => tf.mul(tf.broadcastTo(tf.reshape(x, [3, 1, 4]), [3, 2, 4]), tf.scalar(2))),
  unary('broadcast then reshape', (x) =>
    tf.reshape(tf.broadcastTo(tf.reshape(x, [3, 1, 4]), [3, 2, 4]), [6, 4]),
  ),
  unary('reverse', (x) => tf.reverse(x, [1])),
  unary('sum', (x) => tf.sum(x)),
  unary('sum axis', (x) => tf.sum(x, [0])),
  unary('sum keepDims', (x) => tf.mul(tf.sum(x, -1, true), x)),
  unary('mean', (x) => tf.mean(x)),
  unary('mean axis', (x) => tf.mean(x, [1], true)),
  unary('max', (x) => tf.max(x, 1)),
  unary('min', (x) => tf.min(x, 0)),
  unary('prod', (x) => tf.prod(x, 1), false),
  unary('argMax', (x) => tf.cast(tf.argMax(x, 1), 'float32'), false),
  unary(
    'any, all',
    (x) =>
      tf.cast(
        tf.logicalAnd(tf.any(tf.greater(x, 0), 1), tf.logicalNot(tf.all(tf.greater(x, 0), 1))),
        'float32',
      ),
    false,
  ),
  unary('sum of bools', (x) => tf.cast(tf.sum(tf.greater(x, 0), 1), 'float32'), false),
  unary('softmax', (x) => tf.softmax(x)),
  unary('logSoftmax', (x) => tf.logSoftmax(x)),
  unary('cumsum', (x) => tf.cumsum(x, 1)),
  unary('cumsum exclusive reverse', (x) => tf.cumsum(x, 0, true, true)),
  unary('stridedSlice', (x) => tf.stridedSlice(x, [0, 0], [3, 4], [2, 2]), false),
  unary('unstack, stack', (x) => tf.stack(tf.unstack(x, 0), 1)),
  {
    name: 'concat',
    shapes: [
      [3, 2],
      [3, 4],
    ],
    fn: ([a, b]) => tf.concat([a, b], 1),
  },
  {
    name: 'split',
    shapes: [[3, 6]],
    fn: ([x]) => {
      const [a, b] = tf.split(x, [2, 4], 1);
      return tf.mul(a, tf.slice(b, [0, 1], [3, 2]));
    },
  },
  {
    name: 'where',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    fn: ([a, b]) => tf.where(tf.greater(a, 0.1), a, tf.mul(b, b)),
  },
  {
    name: 'where broadcast',
    shapes: [[3, 4], [4]],
    fn: ([a, b]) => tf.where(tf.greater(b, 0.1), a, tf.scalar(2)),
  },
  {
    name: 'where of bools',
    shapes: [[3, 4]],
    fn: ([a]) => tf.cast(tf.where(tf.greater(a, 0.5), tf.less(a, 0.7), tf.less(a, -0.2)), 'float32'),
    gradient: false,
  },
  {
    name: 'addN',
    shapes: [
      [3, 4],
      [3, 4],
      [3, 4],
    ],
    fn: (xs) => tf.addN(xs),
  },
  {
    name: 'matMul',
    shapes: [
      [3, 4],
      [4, 5],
    ],
    fn: ([a, b]) => tf.matMul(a, b),
  },
  {
    name: 'matMul transposed',
    shapes: [
      [4, 3],
      [5, 4],
    ],
    fn: ([a, b]) => tf.matMul(a, b, true, true),
  },
  {
    name: 'matMul transposeB with bias',
    shapes: [[3, 4], [5, 4], [5]],
    fn: ([a, b, c]) => tf.add(tf.matMul(a, b, false, true), c),
  },
  {
    name: 'matMul batch',
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    fn: ([a, b]) => tf.matMul(a, b),
  },
  {
    name: 'matMul batch transposeB',
    shapes: [
      [2, 2, 3, 4],
      [2, 2, 5, 4],
    ],
    fn: ([a, b]) => tf.matMul(a, b, false, true),
  },
  {
    name: 'matMul batch transposeA',
    shapes: [
      [2, 4, 3],
      [2, 4, 5],
    ],
    fn: ([a, b]) => tf.matMul(a, b, true),
  },
  {
    name: 'matMul batch broadcast',
    shapes: [
      [2, 3, 4],
      [1, 4, 5],
    ],
    fn: ([a, b]) => tf.matMul(a, b),
  },
  {
    name: 'gather',
    shapes: [[5, 3]],
    ints: [{ shape: [2, 4], below: 5 }],
    fn: ([x], [i]) => tf.gather(x, i),
  },
  {
    name: 'gather axis 1',
    shapes: [[3, 5]],
    ints: [{ shape: [4], below: 5 }],
    fn: ([x], [i]) => tf.gather(x, i, 1),
  },
  {
    name: 'unsortedSegmentSum',
    shapes: [[6, 3]],
    ints: [{ shape: [6], below: 4 }],
    fn: ([x], [i]) => tf.unsortedSegmentSum(x, i as tf.Tensor1D, 4),
  },
  {
    name: 'oneHot',
    shapes: [[5]],
    ints: [{ shape: [2, 3], below: 5 }],
    fn: ([x], [i]) => tf.mul(tf.cast(tf.oneHot(i, 5), 'float32'), x),
  },
  {
    name: 'integer arithmetic',
    shapes: [],
    ints: [{ shape: [6], below: 50 }],
    fn: (_x, [i]) =>
      tf.cast(
        tf.add(
          tf.mul(i, tf.scalar(3, 'int32')),
          tf.floorDiv(tf.sub(i, tf.scalar(25, 'int32')), tf.scalar(7, 'int32')),
        ),
        'float32',
      ),
    gradient: false,
  },
  {
    name: 'integer comparison',
    shapes: [],
    ints: [{ shape: [2], below: 5 }],
    fn: (_x, [i]) => tf.cast(tf.less(tf.range(0, 5, 1, 'int32'), tf.reshape(i, [2, 1])), 'float32'),
    gradient: false,
  },
  {
    name: 'conv2d stride 2',
    shapes: [
      [2, 7, 6, 2],
      [3, 3, 2, 3],
    ],
    fn: ([x, w]) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 1),
  },
  {
    name: 'conv2d same',
    shapes: [
      [1, 5, 4, 2],
      [3, 3, 2, 2],
    ],
    fn: ([x, w]) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
  },
  {
    name: 'conv2d uneven end',
    shapes: [
      [1, 8, 7, 1],
      [3, 3, 1, 2],
    ],
    fn: ([x, w]) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'valid'),
  },
  {
    name: 'conv2d 1x1',
    shapes: [
      [1, 4, 3, 3],
      [1, 1, 3, 2],
    ],
    fn: ([x, w]) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'valid'),
  },
  {
    name: 'depthwise stride 2',
    shapes: [
      [2, 7, 6, 3],
      [3, 3, 3, 1],
    ],
    fn: ([x, w]) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 1),
  },
  {
    name: 'depthwise multiplier',
    shapes: [
      [1, 5, 5, 2],
      [3, 3, 2, 2],
    ],
    fn: ([x, w]) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
  },
  { name: 'scan with gradient', shapes: [[4, 3], [3]], fn: ([x, c]) => runningProduct(x, c) },
  {
    name: 'scan reverse, body uses outer values',
    shapes: [[4, 3], [3]],
    gradient: false,
    fn: ([x, c]) =>
      tf.add(
        scan(
          ([acc], [v]) => {
            const s = tf.add(tf.mul(acc, tf.tanh(c)), v);
            return { carry: [s], ys: [s] };
          },
          [tf.zeros([3])],
          [x],
          { reverse: true },
        ).ys[0],
        c,
      ),
  },
  {
    name: 'scan carry only',
    shapes: [[4, 3]],
    gradient: false,
    fn: ([x]) => scan(([acc], [v]) => ({ carry: [tf.add(acc, v)], ys: [] }), [tf.zeros([3])], [x]).carry[0],
  },
  { name: 'host call with gradient', shapes: [[3, 4]], fn: ([x]) => tf.mul(hostCube(tf.mul(x, 2)), x) },
  { name: 'two host calls', shapes: [[3, 4]], fn: ([x]) => hostCube(tf.sin(hostCube(x))) },
  {
    name: 'host call across convolution',
    shapes: [
      [1, 5, 4, 2],
      [3, 3, 2, 2],
    ],
    fn: ([x, w]) => hostCube(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 1)),
  },
  {
    name: 'bernoulli mask',
    shapes: [[8, 9]],
    fn: ([x]) => tf.where(bernoulliMask([8, 9], 0.7), x, tf.zerosLike(x)),
  },
];

/** y_t = y_{t-1} · x_t from y_{-1} = c, gradient by a second scan. */
function runningProduct(x: Tensor, c: Tensor): Tensor {
  const op = tf.customGrad((...args: unknown[]) => {
    const [xs, start, save] = args as [Tensor, Tensor, tf.GradSaveFunc];
    const { ys } = scan(([acc], [v]) => ({ carry: [tf.mul(acc, v)], ys: [tf.mul(acc, v)] }), [start], [xs]);
    save([xs, start, ys[0]]);
    return {
      value: ys[0],
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [sx, s0, y] = saved;
        const previous = tf.concat(
          [tf.expandDims(s0, 0), tf.slice(y, [0, 0], [y.shape[0] - 1, y.shape[1] as number])],
          0,
        );
        const back = scan(
          ([d], [g, v, p]) => {
            const total = tf.add(d, g);
            return { carry: [tf.mul(total, v)], ys: [tf.mul(total, p)] };
          },
          [tf.zerosLike(s0)],
          [dy, sx, previous],
          { reverse: true },
        );
        return [back.ys[0], back.carry[0]];
      },
    };
  });
  return op(x, c);
}

/** x³ computed on the host, with the derivative from the host too. */
function hostCube(x: Tensor): Tensor {
  const spec = { dtype: 'float32', shape: x.shape } as const;
  const op = tf.customGrad((...args: unknown[]) => {
    const [v, save] = args as [Tensor, tf.GradSaveFunc];
    const [value, slope] = hostCall(
      'cube',
      ([host]) => [
        { ...spec, data: (host.data as Float32Array).map((e) => e ** 3) },
        { ...spec, data: (host.data as Float32Array).map((e) => 3 * e ** 2) },
      ],
      [v],
      [spec, spec],
    );
    save([slope]);
    return { value, gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(dy, saved[0]) };
  });
  return op(x);
}
