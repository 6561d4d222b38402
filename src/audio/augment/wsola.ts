// Changes tempo without changing pitch by overlapping segments where they fit best (WSOLA, Verhelst and
// Roelands 1993). Good for speech between half and twice the tempo.

/** Seconds of a segment, half of which overlaps its neighbour; about three pitch periods of a low voice. */
const SEGMENT = 0.03;
/** Seconds a segment may be moved to fit; at least one pitch period of a low voice. */
const TOLERANCE = 0.01;

/**
 * Changes the speed of speech and leaves its pitch.
 * @param rate above 1 is faster and shorter
 * @returns round(n / rate) samples
 */
export function timeStretch(samples: Float32Array, sampleRate: number, rate: number): Float32Array {
  const half = Math.max(8, Math.round((SEGMENT * sampleRate) / 2));
  const tolerance = Math.round(TOLERANCE * sampleRate);
  if (rate === 1 || samples.length < 4 * half) return samples;
  const length = Math.round(samples.length / rate);
  const margin = tolerance + half;
  // Silence around the signal lets every segment be cut without asking for the ends.
  const x = new Float32Array(samples.length + 2 * margin + 4 * half);
  x.set(samples, margin);
  const out = new Float32Array(length + 2 * half);
  const fade = Float64Array.from(
    { length: half },
    (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / half),
  );
  // The first half segment is copied; then each segment fades in over what would have followed the last.
  let position = margin;
  for (let i = 0; i < half; i++) out[i] = x[position + i];
  for (let at = half; at < length; at += half) {
    const natural = position + half;
    const target = margin + Math.round(at * rate);
    position = bestFit(x, natural, target, tolerance, half);
    for (let i = 0; i < half; i++) {
      out[at + i] = x[natural + i] * (1 - fade[i]) + x[position + i] * fade[i];
    }
  }
  return out.subarray(0, length);
}

/** The place around `target` at which the signal looks most like that at `natural`, by normalised correlation. */
function bestFit(
  x: Float32Array,
  natural: number,
  target: number,
  tolerance: number,
  length: number,
): number {
  let best = target;
  let bestScore = Number.NEGATIVE_INFINITY;
  const score = (at: number, step: number): number => {
    let product = 0;
    let energy = 1e-9;
    for (let i = 0; i < length; i += step) {
      product += x[natural + i] * x[at + i];
      energy += x[at + i] * x[at + i];
    }
    return product / Math.sqrt(energy);
  };
  const consider = (from: number, to: number, stride: number, step: number): void => {
    bestScore = Number.NEGATIVE_INFINITY;
    const centre = best;
    for (let d = from; d <= to; d += stride) {
      const at = centre + d;
      if (at < 0 || at + length > x.length) continue;
      const s = score(at, step);
      if (s > bestScore) {
        bestScore = s;
        best = at;
      }
    }
  };
  // Coarse, every fourth shift on every third sample; then exact around the winner.
  consider(-tolerance, tolerance, 4, 3);
  consider(-3, 3, 1, 1);
  return best;
}
