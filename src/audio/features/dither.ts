// White Gaussian noise added to a signal: the dither of the front end. Also used at audible levels by the
// waveform augmentation.
import type { CounterRandom } from '../../random/index.js';

/**
 * Adds `level` times standard normal noise to `x[start .. start+length)`. Sample i depends on the stream
 * and on i alone. Both halves of each Box-Muller pair are used.
 */
export function addDither(
  x: Float64Array | Float32Array,
  start: number,
  length: number,
  level: number,
  random: CounterRandom,
): void {
  for (let i = 0; i < length; i += 2) {
    const u = (random.bits(i) + 1) / 4294967297;
    const angle = random.bits(i + 1) * ((2 * Math.PI) / 4294967296);
    const radius = level * Math.sqrt(-2 * Math.log(u));
    x[start + i] += radius * Math.cos(angle);
    if (i + 1 < length) x[start + i + 1] += radius * Math.sin(angle);
  }
}
