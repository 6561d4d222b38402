// The CTC lattice on the host (Graves et al. 2006): cost and gradient of one utterance, plain loops in
// double precision. `ctc-loss.ts` holds the same inside a program.
import { impossible, logAddExpNumber } from './log-space.js';

export interface CtcView {
  /** Log-probabilities of the states (blank, token 1, blank, token 2, …, blank), [T,S] from `offset` on. */
  readonly picks: Float32Array;
  readonly offset: number;
  /** States allocated, S = 2U+1. */
  readonly states: number;
  readonly validFrames: number;
  readonly tokens: Int32Array;
}

/**
 * Adds the derivative of -log P(tokens) with respect to `picks` into `gradient` and returns the cost,
 * Infinity when the tokens do not fit the frames (the gradient then stays zero).
 */
export function ctcGradient(view: CtcView, gradient: Float32Array): number {
  const { validFrames: frames, tokens, picks, offset, states } = view;
  const usedStates = 2 * tokens.length + 1;
  if (frames === 0) return tokens.length === 0 ? 0 : Number.POSITIVE_INFINITY;
  const lp = (t: number, s: number): number => picks[offset + t * states + s];
  const skips = (s: number): boolean => s % 2 === 1 && s >= 3 && tokens[(s - 1) / 2] !== tokens[(s - 3) / 2];
  const alpha = new Float64Array(frames * usedStates).fill(impossible);
  const beta = new Float64Array(frames * usedStates).fill(impossible);
  alpha[0] = lp(0, 0);
  if (usedStates > 1) alpha[1] = lp(0, 1);
  for (let t = 1; t < frames; t++) {
    const before = (t - 1) * usedStates;
    for (let s = 0; s < usedStates; s++) {
      let value = alpha[before + s];
      if (s > 0) value = logAddExpNumber(value, alpha[before + s - 1]);
      if (skips(s)) value = logAddExpNumber(value, alpha[before + s - 2]);
      alpha[t * usedStates + s] = value + lp(t, s);
    }
  }
  const last = (frames - 1) * usedStates;
  beta[last + usedStates - 1] = 0;
  if (usedStates > 1) beta[last + usedStates - 2] = 0;
  for (let t = frames - 2; t >= 0; t--) {
    const after = (t + 1) * usedStates;
    for (let s = 0; s < usedStates; s++) {
      let value = beta[after + s] + lp(t + 1, s);
      if (s + 1 < usedStates) value = logAddExpNumber(value, beta[after + s + 1] + lp(t + 1, s + 1));
      if (s + 2 < usedStates && skips(s + 2)) {
        value = logAddExpNumber(value, beta[after + s + 2] + lp(t + 1, s + 2));
      }
      beta[t * usedStates + s] = value;
    }
  }
  const ends = usedStates > 1 ? alpha[last + usedStates - 2] : impossible;
  const logLikelihood = logAddExpNumber(alpha[last + usedStates - 1], ends);
  if (logLikelihood <= impossible / 2) return Number.POSITIVE_INFINITY;
  for (let t = 0; t < frames; t++) {
    for (let s = 0; s < usedStates; s++) {
      const occupancy = Math.exp(alpha[t * usedStates + s] + beta[t * usedStates + s] - logLikelihood);
      gradient[offset + t * states + s] -= occupancy;
    }
  }
  return -logLikelihood;
}
