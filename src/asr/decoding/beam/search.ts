// What the transducer searches share: the hypotheses they keep and how they ask for scores. A search is a
// generator that yields lists of queries, so that one driver can run the searches of a whole batch side by side
// and answer all their queries in one call of the engine.
import type { Prefix } from './prefix.js';

/** Wants the scores of what may follow a prefix at a frame. */
export interface Query {
  readonly prefix: Prefix;
  readonly frame: number;
}

export interface Scores {
  /** Log-probabilities of the tokens and of blank, the last. [V+1] */
  readonly tokens: Float32Array;
  /** Log-probabilities of the durations (TDT). */
  readonly durations: Float32Array | undefined;
}

export type Search = Generator<readonly Query[], BeamHypothesis[], readonly Scores[]>;

export interface BeamHypothesis {
  score: number;
  readonly prefix: Prefix;
  /** Frame at which each token was emitted. */
  readonly frames: readonly number[];
  /** TDT: frames each token lasts. */
  readonly durations?: readonly number[];
  /** TDT: the frame the hypothesis has reached. */
  readonly at?: number;
}

export function start(root: Prefix): BeamHypothesis {
  return { score: 0, prefix: root, frames: [] };
}

/** Best first; equal scores keep their order. */
export function byScore(a: { readonly score: number }, b: { readonly score: number }): number {
  return b.score - a.score;
}

/** Final order: by score, or by score over length, the empty start counting as one token. */
export function sortNBest(hypotheses: readonly BeamHypothesis[], normalise: boolean): BeamHypothesis[] {
  const key = ({ score, prefix }: BeamHypothesis): number => score / (normalise ? prefix.length + 1 : 1);
  return [...hypotheses].sort((a, b) => key(b) - key(a));
}

/** The position of the largest score; the first of equals. */
export function bestIndex(hypotheses: readonly BeamHypothesis[]): number {
  let best = 0;
  for (let i = 1; i < hypotheses.length; i++) if (hypotheses[i].score > hypotheses[best].score) best = i;
  return best;
}

/** Indices of the `count` largest of the first `size` values, best first. */
export function topK(values: ArrayLike<number>, count: number, size = values.length): number[] {
  const best: number[] = [];
  for (let i = 0; i < size; i++) {
    if (best.length === count && !(values[i] > values[best[count - 1]])) continue;
    let at = Math.min(best.length, count - 1);
    while (at > 0 && values[i] > values[best[at - 1]]) {
      best[at] = best[at - 1];
      at--;
    }
    if (count > 0) best[at] = i;
  }
  return best;
}

/** log(eᵃ + eᵇ) for scores, which are finite. */
export function logAdd(a: number, b: number): number {
  const high = Math.max(a, b);
  return high + Math.log1p(Math.exp(Math.min(a, b) - high));
}
