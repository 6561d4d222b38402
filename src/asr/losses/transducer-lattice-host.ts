// The transducer lattice on the host: costs, gradients and posteriors of one utterance (Graves 2012).
// Plain loops in double precision. `transducer-lattice.ts` holds the same inside a program.
import { impossible, logAddExpNumber } from './log-space.js';

/** Log-probabilities of one utterance's lattice: entry (u·frames + t)·2 is blank, the one after it the label u+1. */
export interface LatticeView {
  readonly picks: Float32Array;
  /** Where the utterance starts in `picks`. */
  readonly offset: number;
  /** Allocated frames T and rows U+1. */
  readonly frames: number;
  readonly rows: number;
  /** Valid frames T_b ≤ T and tokens U_b < rows. */
  readonly validFrames: number;
  readonly tokens: number;
}

/** The lattice of one utterance b, with T_b frames and U_b tokens. */
export interface LatticePosteriors {
  /** log P(target | audio) */
  readonly logLikelihood: number;
  /** Forward and backward log-probabilities, [U_b+1, T_b] row-major by u. */
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
}

/** Forward and backward variables. */
export function latticePosteriors(view: LatticeView): LatticePosteriors {
  const { validFrames: frames, tokens } = view;
  const alpha = new Float64Array((tokens + 1) * frames).fill(impossible);
  const beta = new Float64Array((tokens + 1) * frames).fill(impossible);
  if (frames === 0) return { logLikelihood: tokens === 0 ? 0 : impossible, alpha, beta };
  const blank = (u: number, t: number): number => view.picks[view.offset + 2 * (u * view.frames + t)];
  const label = (u: number, t: number): number => view.picks[view.offset + 2 * (u * view.frames + t) + 1];
  for (let u = 0; u <= tokens; u++) {
    for (let t = 0; t < frames; t++) {
      let value = u === 0 && t === 0 ? 0 : impossible;
      if (t > 0) value = logAddExpNumber(value, alpha[u * frames + t - 1] + blank(u, t - 1));
      if (u > 0) value = logAddExpNumber(value, alpha[(u - 1) * frames + t] + label(u - 1, t));
      alpha[u * frames + t] = value;
    }
  }
  for (let u = tokens; u >= 0; u--) {
    for (let t = frames - 1; t >= 0; t--) {
      let value = u === tokens && t === frames - 1 ? blank(u, t) : impossible;
      if (t < frames - 1) value = logAddExpNumber(value, beta[u * frames + t + 1] + blank(u, t));
      if (u < tokens) value = logAddExpNumber(value, beta[(u + 1) * frames + t] + label(u, t));
      beta[u * frames + t] = value;
    }
  }
  return { logLikelihood: beta[0], alpha, beta };
}

/**
 * Adds into `gradient` (laid out as `picks`) the derivative of the cost with respect to the picked
 * log-probabilities and returns the cost -(1+λ)·log P. With FastEmit (Yu et al. 2021) label arcs weigh
 * 1+λ in the gradient.
 */
export function latticeGradient(view: LatticeView, fastEmit: number, gradient: Float32Array): number {
  const { validFrames: frames, tokens } = view;
  const { logLikelihood, alpha, beta } = latticePosteriors(view);
  for (let u = 0; u <= tokens; u++) {
    for (let t = 0; t < frames; t++) {
      const at = view.offset + 2 * (u * view.frames + t);
      const before = alpha[u * frames + t] - logLikelihood;
      const last = t === frames - 1;
      const afterBlank = last ? (u === tokens ? 0 : impossible) : beta[u * frames + t + 1];
      gradient[at] = -Math.exp(before + view.picks[at] + afterBlank);
      if (u < tokens) {
        const afterLabel = beta[(u + 1) * frames + t];
        gradient[at + 1] = -(1 + fastEmit) * Math.exp(before + view.picks[at + 1] + afterLabel);
      }
    }
  }
  return -(1 + fastEmit) * logLikelihood;
}
