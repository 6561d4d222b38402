// Sums of probabilities kept as logarithms.
import { type Tensor, tf } from '../../engine/index.js';

/** Stands for log 0: finite, so that differences of two of them are not NaN, and thousands of them add up. */
export const impossible = -1e30;

/** log(eᵃ + eᵇ), elementwise. */
export function logAddExp(a: Tensor, b: Tensor): Tensor {
  return tf.add(tf.maximum(a, b), tf.softplus(tf.neg(tf.abs(tf.sub(a, b)))));
}

/** The same for two numbers on the host. */
export function logAddExpNumber(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low <= impossible / 2 ? high : high + Math.log1p(Math.exp(low - high));
}

/** x [B,S] moved by `offset` columns to the right (left if negative); what enters is impossible. */
export function shiftColumns(x: Tensor, offset: number): Tensor {
  const [batch, columns] = x.shape;
  const width = Math.max(columns - Math.abs(offset), 0);
  const edge = tf.fill([batch, columns - width], impossible);
  if (width === 0) return edge;
  return offset > 0
    ? tf.concat([edge, tf.slice(x, [0, 0], [batch, width])], 1)
    : tf.concat([tf.slice(x, [0, -offset], [batch, width]), edge], 1);
}
