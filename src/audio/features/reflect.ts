// Edges of a signal filled with its mirror image, as torch.stft pads by default.
import { AnemoneError } from '../../errors/index.js';

/** Mirrors the signal at [start, start + length) about its first and last sample, `by` samples outwards. */
export function reflectEdges(x: Float64Array, start: number, length: number, by: number): void {
  const last = start + length - 1;
  for (let i = 1; i <= by; i++) {
    x[start - i] = x[start + i];
    x[last + i] = x[last - i];
  }
}

/** @throws AnemoneError `audio.too-short` where `samples` have no `edge` samples beside the first and the last */
export function requireReflectable(samples: number, edge: number, hint: string): void {
  if (edge < samples) return;
  throw new AnemoneError({
    code: 'audio.too-short',
    message: `${samples} samples are too few to reflect ${edge} at the ends`,
    hint,
  });
}
