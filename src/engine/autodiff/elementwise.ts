// Gradients of elementwise kernels.
import { later } from '../primitives/after.js';
import { keepWhere } from '../primitives/keep-where.js';
import { type Tensor, tf } from '../tf.js';
import { type Gradient, scalar, sumTo } from './gradient.js';

/** y = f(x): gradient from x and/or y. */
const fromInput = (kernel: string, f: (dy: Tensor, x: Tensor) => Tensor): Gradient => ({
  kernel,
  inputs: ['x'],
  backward: (dy, [x]) => ({ x: () => f(dy, x) }),
});
const fromOutput = (kernel: string, f: (dy: Tensor, y: Tensor) => Tensor): Gradient => ({
  kernel,
  output: true,
  backward: (dy, [y]) => ({ x: () => f(dy, y) }),
});
const binary = (
  kernel: string,
  da: (dy: Tensor, a: Tensor, b: Tensor) => Tensor,
  db: (dy: Tensor, a: Tensor, b: Tensor) => Tensor,
): Gradient => ({
  kernel,
  inputs: ['a', 'b'],
  backward: (dy, [a, b]) => ({
    a: () => sumTo(da(dy, a, b), a.shape),
    b: () => sumTo(db(dy, a, b), b.shape),
  }),
});
const where = (condition: Tensor, x: Tensor): Tensor => tf.where(condition, x, tf.zerosLike(x));

export const elementwiseGradients: readonly Gradient[] = [
  binary(
    'Add',
    (dy) => dy,
    (dy) => dy,
  ),
  binary(
    'Sub',
    (dy) => dy,
    (dy) => tf.neg(dy),
  ),
  binary(
    'Multiply',
    (dy, _a, b) => tf.mul(dy, b),
    (dy, a) => tf.mul(dy, a),
  ),
  binary(
    'RealDiv',
    (dy, _a, b) => tf.div(dy, b),
    (dy, a, b) => tf.neg(tf.div(tf.mul(dy, a), tf.square(b))),
  ),
  binary(
    'Maximum',
    (dy, a, b) => where(tf.greaterEqual(a, b), dy),
    (dy, a, b) => where(tf.less(a, b), dy),
  ),
  binary(
    'Minimum',
    (dy, a, b) => where(tf.lessEqual(a, b), dy),
    (dy, a, b) => where(tf.greater(a, b), dy),
  ),
  binary(
    'SquaredDifference',
    (dy, a, b) => tf.mul(dy, tf.mul(scalar(2), tf.sub(a, b))),
    (dy, a, b) => tf.mul(dy, tf.mul(scalar(2), tf.sub(b, a))),
  ),
  binary(
    'Pow',
    (dy, a, b) => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, scalar(1))))),
    (dy, a, b) => {
      const logA = tf.where(tf.greater(a, scalar(0)), tf.log(tf.maximum(a, scalar(1e-38))), tf.zerosLike(a));
      return tf.mul(dy, tf.mul(tf.pow(a, b), logA));
    },
  ),
  {
    kernel: 'AddN',
    saveAllInputs: true,
    backward: (dy, saved) => Object.fromEntries(saved.map((_, i) => [String(i), () => tf.clone(dy)])),
  },
  {
    kernel: 'Select',
    inputs: ['condition'],
    backward: (dy, [condition]) => ({
      condition: () => tf.zeros(condition.shape, 'float32'),
      t: () => tf.where(condition, dy, tf.zerosLike(dy)),
      e: () => tf.where(condition, tf.zerosLike(dy), dy),
    }),
  },
  { kernel: 'Identity', backward: (dy) => ({ x: () => tf.cast(dy, 'float32') }) },
  { kernel: 'Cast', backward: (dy) => ({ x: () => tf.clone(dy) }) },
  { kernel: 'Neg', backward: (dy) => ({ x: () => tf.neg(dy) }) },
  { kernel: 'ZerosLike', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  { kernel: 'OnesLike', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  { kernel: 'Floor', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  { kernel: 'Ceil', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  { kernel: 'Round', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  { kernel: 'Sign', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  { kernel: 'Step', backward: (dy) => ({ x: () => tf.zerosLike(dy) }) },
  fromOutput('Exp', (dy, y) => tf.mul(dy, y)),
  fromOutput('Sigmoid', (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(scalar(1), y)))),
  fromOutput('Tanh', (dy, y) => tf.mul(dy, tf.sub(scalar(1), tf.square(y)))),
  fromOutput('Relu', (dy, y) => keepWhere(tf.greater(later(y, [dy]), scalar(0)), dy)),
  fromOutput('Sqrt', (dy, y) => tf.div(dy, tf.mul(y, scalar(2)))),
  fromOutput('Rsqrt', (dy, y) => tf.mul(tf.mul(dy, scalar(-0.5)), tf.mul(y, tf.square(y)))),
  fromOutput('Reciprocal', (dy, y) => tf.neg(tf.mul(dy, tf.square(y)))),
  fromOutput('Elu', (dy, y) => tf.where(tf.greater(y, scalar(0)), dy, tf.mul(dy, tf.add(y, scalar(1))))),
  fromInput('Log', (dy, x) => tf.div(dy, x)),
  fromInput('Log1p', (dy, x) => tf.div(dy, tf.add(x, scalar(1)))),
  fromInput('Expm1', (dy, x) => tf.mul(dy, tf.exp(x))),
  fromInput('Abs', (dy, x) => tf.mul(dy, tf.sign(x))),
  fromInput('Square', (dy, x) => tf.mul(dy, tf.mul(x, scalar(2)))),
  fromInput('Sin', (dy, x) => tf.mul(dy, tf.cos(x))),
  fromInput('Cos', (dy, x) => tf.neg(tf.mul(dy, tf.sin(x)))),
  fromInput('Softplus', (dy, x) => tf.mul(dy, tf.sigmoid(x))),
  fromInput('Erf', (dy, x) =>
    tf.mul(dy, tf.mul(scalar(2 / Math.sqrt(Math.PI)), tf.exp(tf.neg(tf.square(x))))),
  ),
  fromInput('Relu6', (dy, x) => where(tf.logicalAnd(tf.greater(x, scalar(0)), tf.less(x, scalar(6))), dy)),
  {
    kernel: 'ClipByValue',
    inputs: ['x'],
    backward: (dy, [x], attrs) => {
      const { clipValueMin, clipValueMax } = attrs as { clipValueMin: number; clipValueMax: number };
      const inside = tf.logicalAnd(
        tf.greaterEqual(x, scalar(clipValueMin)),
        tf.lessEqual(x, scalar(clipValueMax)),
      );
      return { x: () => where(inside, dy) };
    },
  },
  {
    kernel: 'LeakyRelu',
    inputs: ['x'],
    backward: (dy, [x], attrs) => ({
      x: () => tf.where(tf.greater(x, scalar(0)), dy, tf.mul(dy, scalar((attrs as { alpha: number }).alpha))),
    }),
  },
];
