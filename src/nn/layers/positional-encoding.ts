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

/** Offsets frames-1 … -(frames-1) between query and key: constant [2·frames-1, width]. */
export function relativePositions(frames: number, width: number): Tensor {
  const count = 2 * frames - 1;
  return tf.tensor2d(
    sinusoids(count, width, (row) => frames - 1 - row),
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
