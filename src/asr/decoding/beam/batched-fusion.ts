// How the searches malsd_batch and maes_batch weigh models of tokens against the network: before or after the beam
// is pruned, and what blank gets of it. The models themselves are in ../fusion.
import type { TokenFusion } from '../fusion/token-fusion.js';
import { fusionState } from './language-model.js';
import type { Prefix } from './prefix.js';
import { topK } from './search.js';

export interface BatchedFusion {
  /** Language models, boosted phrases. */
  readonly tokens: TokenFusion;
  /** Sum of their weights. */
  readonly weight: number;
  /** early: the network chooses the candidates, late: both do. */
  readonly pruning: 'early' | 'late';
  /**
   * no_score: blank has the network's score alone. lm_weighted_full: the models leave blank the probability that the
   * network gives it, and share what is left among the tokens.
   */
  readonly blank: 'no_score' | 'lm_weighted_full';
}

/**
 * Scores with the models. [V+1], blank last
 * @param tokens log-probabilities of the network, [V+1]
 * @param margin the least that lm_weighted_full leaves to the tokens: a number of NeMo's, one for each search
 */
export function fused(
  tokens: Float32Array,
  prefix: Prefix,
  fusion: BatchedFusion | undefined,
  margin: number,
): Float32Array {
  if (!fusion) return tokens;
  const { scores } = fusionState(fusion, prefix);
  const blank = tokens.length - 1;
  const sum = Float32Array.from(tokens, (score, token) => score + (token === blank ? 0 : scores[token]));
  if (fusion.blank === 'lm_weighted_full') {
    const rest = fusion.weight * Math.log1p(-Math.min(Math.exp(tokens[blank]), 1 - margin));
    for (let token = 0; token < blank; token++) sum[token] += rest;
    sum[blank] *= 1 + fusion.weight;
  }
  return sum;
}

/** The `count` best tokens (or blank) with their scores, best first as the pruning ranks them. */
export function bestTokens(
  tokens: Float32Array,
  withModels: Float32Array,
  count: number,
  fusion: BatchedFusion | undefined,
): { token: number; score: number; rank: number }[] {
  const ranks = fusion?.pruning === 'early' ? tokens : withModels;
  return topK(ranks, count).map((token) => ({ token, score: withModels[token], rank: ranks[token] }));
}
