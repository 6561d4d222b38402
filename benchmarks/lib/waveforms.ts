// Generated audio for benchmarks: no speech, but as uneven as speech, and the same on every machine.
import type { CounterRandom } from '../../src/random/index.js';

export const RATE = 16000;

/** Noise whose loudness and pitch wander a few times a second, so that frames differ as those of speech do. */
export function waveform(samples: number, random: CounterRandom): Float32Array {
  const out = new Float32Array(samples);
  let low = 0;
  for (let i = 0; i < samples; i++) {
    const segment = Math.floor(i / 1600);
    const smooth = 0.98 * random.uniform(2 * segment);
    low = smooth * low + (1 - smooth) * random.normal(1e6 + i);
    out[i] = 0.3 * random.uniform(2 * segment + 1) * low;
  }
  return out;
}

/** Lengths in samples of `count` utterances of 2 seconds to `longest`. */
export function utteranceLengths(count: number, longest: number, random: CounterRandom): number[] {
  return Array.from({ length: count }, (_, i) => Math.round((2 + (longest - 2) * random.uniform(i)) * RATE));
}
