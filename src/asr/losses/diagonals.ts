// A lattice [B,U+1,T] read along its diagonals n = t+u, so that a loop over n visits every point after the
// points that lead to it.
import { type Tensor, tf } from '../../engine/index.js';
import { impossible } from './log-space.js';

/** int32 0, 1, …, count-1 in a shape. */
export function range(count: number, shape: readonly number[]): Tensor {
  return tf.tensor(
    Int32Array.from({ length: count }, (_, i) => i),
    [...shape],
    'int32',
  );
}

/**
 * [B,R,T] → [T+R-1, B, R] with entry (n, b, u) = x[b, u, n-u], impossible outside. Rows padded to T+R and
 * read back with a period one shorter start one column later each.
 */
export function toDiagonals(x: Tensor): Tensor {
  const [batch, rows, width] = x.shape;
  const count = width + rows - 1;
  const padded = tf.pad(x, [[0, 0], [0, 0], [0, rows]], impossible); // biome-ignore format: one line reads better
  const flat = tf.slice(tf.reshape(padded, [batch, rows * (count + 1)]), [0, 0], [batch, rows * count]);
  return tf.transpose(tf.reshape(flat, [batch, rows, count]), [2, 0, 1]);
}

/** The inverse of `toDiagonals`, dropping what lies outside. */
export function undoDiagonals(x: Tensor, width: number): Tensor {
  const [count, batch, rows] = x.shape;
  const flat = tf.reshape(tf.transpose(x, [1, 2, 0]), [batch, rows * count]);
  const padded = tf.pad(flat, [[0, 0], [0, rows]]); // biome-ignore format: one line reads better
  return tf.slice(tf.reshape(padded, [batch, rows, count + 1]), [0, 0, 0], [batch, rows, width]);
}
