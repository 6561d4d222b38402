// MatMulNBits of ONNX Runtime, in ops of tfjs.
import type { Twin } from '../scope.js';
import { type Tensor, tf } from '../tf.js';
import { numberOf } from './attributes.js';

/**
 * x [..,K] times a matrix [K,N] of 4 or 8 bits an element: (q − zero) · scale, with one scale and zero for each block of
 * `block_size` elements of a column. q [N,blocks,bytes], two elements a byte of which the low one comes first, where they
 * have 4 bits; scales [N·blocks], zeros as q's, one an element (or none: half of the range) → [..,N].
 */
export const matMulNBits: Twin = ([x, q, scales, zeros], attributes) => {
  const [depth, columns] = [numberOf(attributes, 'K', 0), numberOf(attributes, 'N', 0)];
  const bits = numberOf(attributes, 'bits', 4);
  const size = numberOf(attributes, 'block_size', 32);
  const blocks = Math.ceil(depth / size);
  const levels = tf.reshape(elements(q as Tensor, bits), [columns, blocks, size]);
  const zero = zeros
    ? tf.slice(tf.reshape(elements(zeros, bits), [columns, -1]), [0, 0], [columns, blocks])
    : tf.fill([columns, blocks], 2 ** (bits - 1), 'float32');
  const centred = tf.sub(levels, tf.reshape(zero, [columns, blocks, 1]));
  const values = tf.mul(centred, tf.reshape(scales as Tensor, [columns, blocks, 1]));
  const matrix = tf.slice(tf.reshape(values, [columns, blocks * size]), [0, 0], [columns, depth]);
  const input = x as Tensor;
  const product = tf.matMul(tf.reshape(input, [-1, depth]), matrix, false, true);
  return [tf.reshape(product, [...input.shape.slice(0, -1), columns])];
};

/** Bytes [..] as numbers, two for each where elements have 4 bits. */
function elements(bytes: Tensor, bits: number): Tensor {
  const numbers = tf.cast(bytes, 'float32');
  if (bits === 8) return numbers;
  const high = tf.floor(tf.div(numbers, tf.scalar(16)));
  return tf.stack([tf.sub(numbers, tf.mul(high, tf.scalar(16))), high], -1);
}
