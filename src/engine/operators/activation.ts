// Gelu in three forms (Hendrycks and Gimpel 2016), each one operator forward, with a gradient that keeps x only.
import { runCustom } from '../autodiff/tape.js';
import { nativeOp } from '../primitives/native-op.js';
import type { NativeAttributes } from '../scope.js';
import { type Tensor, tf } from '../tf.js';

const CUBIC = 0.044715;
const INNER = Math.sqrt(2 / Math.PI);

/** x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))): PyTorch's `approximate='tanh'`. */
export function fastGelu(x: Tensor): Tensor {
  return elementwise('FastGelu', x, {}, (x) => {
    const square = tf.square(x);
    const inner = tf.mul(tf.add(x, tf.mul(tf.mul(square, x), tf.scalar(CUBIC))), tf.scalar(INNER));
    const t = tf.tanh(inner);
    const slope = tf.mul(tf.add(tf.scalar(1), tf.mul(square, tf.scalar(3 * CUBIC))), tf.scalar(INNER));
    const steepness = tf.mul(tf.sub(tf.scalar(1), tf.square(t)), tf.mul(x, slope));
    return tf.mul(tf.add(tf.add(tf.scalar(1), t), steepness), tf.scalar(0.5));
  });
}

/** x/2 · (1 + erf(x/√2)). */
export function gelu(x: Tensor): Tensor {
  return elementwise('Gelu', x, {}, (x) => {
    const below = tf.mul(tf.add(tf.erf(tf.mul(x, tf.scalar(Math.SQRT1_2))), tf.scalar(1)), tf.scalar(0.5));
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), tf.scalar(-0.5))), tf.scalar(INNER / 2));
    return tf.add(below, tf.mul(x, density));
  });
}

/** x · sigmoid(alpha x); with alpha 1 it is SiLU. */
export function quickGelu(x: Tensor, alpha = 1.702): Tensor {
  return elementwise('QuickGelu', x, { alpha: { float: alpha } }, (x) => {
    const s = tf.sigmoid(tf.mul(x, tf.scalar(alpha)));
    const rest = tf.mul(tf.mul(x, tf.scalar(alpha)), tf.sub(tf.scalar(1), s));
    return tf.mul(s, tf.add(tf.scalar(1), rest));
  });
}

/** An operator of ONNX Runtime with one input, whose derivative is a function of that. */
function elementwise(
  op: string,
  x: Tensor,
  attributes: NativeAttributes,
  derivative: (x: Tensor) => Tensor,
): Tensor {
  const [y] = runCustom([x], (save) => {
    save([x]);
    const outputs = [{ dtype: 'float32', shape: x.shape } as const];
    return {
      outputs: nativeOp(op, [x], outputs, attributes, { domain: 'com.microsoft' }),
      backward: ([dy], [x]) => [tf.mul(dy, derivative(x))],
    };
  });
  return y;
}
