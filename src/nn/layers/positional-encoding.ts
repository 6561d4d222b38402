// Sinusoidal tables of positions (Vaswani et al. 2017; relative form: Dai et al. 2019).
import { type Tensor, tf } from '../../engine/index.js';

/** Row r holds sin/cos (interleaved) of position `first - step·r`. */
function sinusoids(count: number, width: number, position: (row: number) => number): Float32Array {
  const table = new Float32Array(count * width);
  for (let i = 0; i < width; i += 2) {
    const rate = Math.exp((-Math.log(10000) * i) / width);
    for (let row = 0; row < count; row++) {
      const angle = Math.fround(position(row)) * Math.fround(rate);
      table[row * width + i] = Math.sin(angle);
      if (i + 1 < width) table[row * width + i + 1] = Math.cos(angle);
    }
  }
  return table;
}

/**
 * Offsets keys-1 … -(frames-1) between `frames` queries and `keys` keys that end together: constant
 * [frames+keys-1, width].
 */
export function relativePositions(frames: number, width: number, keys: number = frames): Tensor {
  const count = frames + keys - 1;
  return tf.tensor2d(
    sinusoids(count, width, (row) => keys - 1 - row),
    [count, width],
  );
}

/** Positions 0 … frames-1: constant [frames, width]. */
export function absolutePositions(frames: number, width: number): Tensor {
  return tf.tensor2d(
    sinusoids(frames, width, (row) => row),
    [frames, width],
  );
}

/**
 * Table for attention to `left` frames before and `right` after, with w the larger of the two: constant
 * [2w+1, width], whose row c is for a key c - w frames ahead. With unequal contexts NeMo puts the rows at the outer
 * ends of both sides, so the frames of the smaller context get positions of others, or none; so it is here.
 */
export function localPositions(left: number, right: number, width: number): Tensor {
  return tf.tensor2d(localTable(left, right, width), [2 * Math.max(left, right) + 1, width]);
}

/**
 * The same for attention to all of `frames` frames under a band: constant [2·frames-1, width], whose row r is for a key
 * r - (frames-1) ahead; zeros beyond the band.
 */
export function bandPositions(frames: number, left: number, right: number, width: number): Tensor {
  const local = localTable(left, right, width);
  const reach = Math.max(left, right);
  const table = new Float32Array((2 * frames - 1) * width);
  const cut = Math.max(0, reach - (frames - 1));
  table.set(
    local.subarray(cut * width, (2 * reach + 1 - cut) * width),
    Math.max(0, frames - 1 - reach) * width,
  );
  return tf.tensor2d(table, [2 * frames - 1, width]);
}

function localTable(left: number, right: number, width: number): Float32Array {
  const reach = Math.max(left, right);
  const rows = sinusoids(left + right + 1, width, (row) => left - row);
  const table = new Float32Array((2 * reach + 1) * width);
  table.set(rows.subarray(0, left * width));
  table.set(rows.subarray(left * width), (2 * reach - right) * width);
  return table;
}
