// The parts of a batch that ranks normalise together, made alike by the ranks and by the test.
import { CounterRandom } from '../../src/random/index.js';

export const ITEMS = 2;
export const CHANNELS = 3;

export interface Part {
  /** x and its gradient [ITEMS, length, CHANNELS], item by item. */
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly length: number;
  /** Those of the length that are the batch's. */
  readonly frames: number;
}

/** Ranks have as many items and another number of frames each. */
export function partOf(rank: number, isMasked: boolean): Part {
  const length = 7 + 2 * rank;
  const frames = isMasked ? length - 2 - rank : length;
  const random = new CounterRandom(5, rank);
  const count = ITEMS * length * CHANNELS;
  const isOwn = (i: number) => Math.floor(i / CHANNELS) % length < frames;
  const x = Float32Array.from({ length: count }, (_, i) => 3 + rank + random.normal(i));
  const dy = Float32Array.from({ length: count }, (_, i) => (isOwn(i) ? random.normal(count + i) : 0));
  return { x, dy, length, frames };
}
