// From scores by distance to scores by key (Transformer-XL: Dai et al. 2019), and back.
import { type Tensor, tf, tracesAnyShape } from '../../engine/index.js';

/**
 * Picks for query i and key j the column of their distance: out[i,j] = x[i, T-1-i+j].
 * x [B,h,T,T+K-1] → [B,h,T,K]. On the flattened rows this is the grid of period T+K-2 starting at T-1, so
 * two slices do it.
 */
export function relativeShift(x: Tensor): Tensor {
  const [batch, heads, frames, columns] = x.shape;
  if (tracesAnyShape()) return shiftedByPadding(x);
  if (frames === 1) return x;
  const flat = tf.reshape(x, [batch * heads, frames * columns]);
  const aligned = tf.slice(flat, [0, frames - 1], [batch * heads, frames * (columns - 1)]);
  const grid = tf.reshape(aligned, [batch * heads, frames, columns - 1]);
  const keys = columns - frames + 1;
  const shifted = tf.slice(grid, [0, 0, 0], [batch * heads, frames, keys]);
  return tf.reshape(shifted, [batch, heads, frames, keys]);
}

/** The gradient of `relativeShift`: x [B,h,T,K] → [B,h,T,T+K-1], each score at the column of its distance, zeros elsewhere. */
export function relativeUnshift(x: Tensor): Tensor {
  const [batch, heads, frames, keys] = x.shape as [number, number, number, number];
  if (frames === 1) return x;
  const columns = frames + keys - 1;
  const rows = tf.reshape(x, [batch * heads, frames, keys]);
  const grid = tf.pad(rows, [[0, 0], [0, 0], [0, frames - 2]]); // biome-ignore format: one line reads better
  const aligned = tf.reshape(grid, [batch * heads, frames * (columns - 1)]);
  const flat = tf.pad(aligned, [[0, 0], [frames - 1, 1]]); // biome-ignore format: one line reads better
  return tf.reshape(flat, [batch, heads, frames, columns]);
}

/** The same for any number of frames, one included: a column in front, and each row starts one later. */
function shiftedByPadding(x: Tensor): Tensor {
  const [batch, heads, frames, columns] = x.shape;
  const padded = tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 0]]); // biome-ignore format: one line reads better
  const rows = tf.reshape(padded, [batch, heads, columns + 1, frames]);
  const later = tf.slice(rows, [0, 0, 1, 0], [batch, heads, columns, frames]);
  const shifted = tf.reshape(later, [batch, heads, frames, columns]);
  return tf.slice(shifted, [0, 0, 0, 0], [batch, heads, frames, columns - frames + 1]);
}
