// Float samples that are no audio: not numbers, or far beyond any scale.

/** Samples beyond full scale are taken, as some programs write them; such ones are garbage. */
const MAX_LEVEL = 1e9;

/** Index of the first sample that is no audio; -1 where all are. */
export function badSample(samples: Float32Array): number {
  return samples.findIndex((sample) => !(Math.abs(sample) <= MAX_LEVEL));
}
