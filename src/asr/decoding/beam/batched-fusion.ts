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

/** A token (or blank) that may follow a hypothesis. */
export interface Candidate {
  readonly token: number;
  /** With the models. */
  readonly score: number;
  /** What pruning goes by: the score, or the network's alone. */
  readonly rank: number;
}

/**
 * The `count` candidates with the best ranks, best first.
 * @param tokens log-probabilities of the network, [V+1], blank last
 * @param margin see fusedScore
 */
export function bestCandidates(
  tokens: Float32Array,
  prefix: Prefix,
  count: number,
  fusion: BatchedFusion | undefined,
  margin: number,
): Candidate[] {
  if (fusion?.pruning === 'late') {
    const scores = fusedScores(tokens, prefix, fusion, margin);
    return topK(scores, count).map((token) => ({ token, score: scores[token], rank: scores[token] }));
  }
  return topK(tokens, count).map((token) => ({
    token,
    score: fusedScore(tokens, prefix, token, fusion, margin),
    rank: tokens[token],
  }));
}

/**
 * Score of a token or blank with the models.
 * @param margin the least that lm_weighted_full leaves to the tokens: a number of NeMo's, one for each search
 */
export function fusedScore(
  tokens: Float32Array,
  prefix: Prefix,
  token: number,
  fusion: BatchedFusion | undefined,
  margin: number,
): number {
  if (!fusion) return tokens[token];
  const blank = tokens.length - 1;
  if (token === blank) return tokens[blank] * blankFactor(fusion);
  return tokens[token] + rest(tokens, fusion, margin) + fusionState(fusion, prefix).after(token).score;
}

/** The same for all, [V+1]. */
function fusedScores(
  tokens: Float32Array,
  prefix: Prefix,
  fusion: BatchedFusion,
  margin: number,
): Float32Array {
  const { scores } = fusionState(fusion, prefix);
  const blank = tokens.length - 1;
  const restScore = rest(tokens, fusion, margin);
  const sum = tokens.map((score, token) => (token === blank ? score : score + restScore + scores[token]));
  sum[blank] *= blankFactor(fusion);
  return sum;
}

/** What lm_weighted_full adds to every token: its models share what blank leaves. */
function rest(tokens: Float32Array, { blank, weight }: BatchedFusion, margin: number): number {
  if (blank === 'no_score') return 0;
  return weight * Math.log1p(-Math.min(Math.exp(tokens[tokens.length - 1]), 1 - margin));
}

function blankFactor({ blank, weight }: BatchedFusion): number {
  return blank === 'no_score' ? 1 : 1 + weight;
}
