// The language model inside a search: scores of tokens given the prefix, remembered at the prefix.
import type { NgramModel } from '../lm/ngram-model.js';
import type { Prefix } from './prefix.js';

export interface Fusion {
  readonly model: NgramModel;
  /** Word of the model for each token. */
  readonly words: readonly string[];
  /** Weight of the model. */
  readonly weight: number;
  /** Weight of the joint's own language model, which is taken off (HAT). 0 for none. */
  readonly internalWeight: number;
}

/** What a token adds to the score of a prefix; 0 without a model. */
export function fusionScore(fusion: Fusion | undefined, prefix: Prefix, token: number): number {
  if (!fusion) return 0;
  const score = fusion.weight * advance(fusion, prefix, token).lmScore;
  if (fusion.internalWeight === 0) return score;
  return score - fusion.internalWeight * (prefix.internalLm?.[token] ?? 0);
}

function advance({ model, words }: Fusion, prefix: Prefix, token: number): Prefix {
  prefix.lmState ??= model.start();
  const child = prefix.child(token);
  if (!child.lmState) {
    const { score, state } = model.score(prefix.lmState, words[token]);
    child.lmState = state;
    child.lmScore = score;
  }
  return child;
}
