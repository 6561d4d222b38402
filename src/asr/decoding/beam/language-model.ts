// Models of tokens inside a search: what they add to a token given the prefix, remembered at the prefix.
import type { FusionState, TokenFusion } from '../fusion/token-fusion.js';
import type { Prefix } from './prefix.js';

export interface Fusion {
  /** Language models, boosted phrases. */
  readonly tokens: TokenFusion;
  /** Weight of the joint's own language model, which is taken off (HAT). 0 for none. */
  readonly internalWeight: number;
}

/** What a token adds to the score of a prefix; 0 without models. */
export function fusionScore(fusion: Fusion | undefined, prefix: Prefix, token: number): number {
  if (!fusion) return 0;
  const { score } = fusionState(fusion, prefix).after(token);
  if (fusion.internalWeight === 0) return score;
  return score - fusion.internalWeight * (prefix.internalLm?.[token] ?? 0);
}

/** The models' state after a prefix. */
export function fusionState(fusion: Pick<Fusion, 'tokens'>, prefix: Prefix): FusionState {
  prefix.fusion ??= prefix.parent
    ? fusionState(fusion, prefix.parent).after(prefix.token)
    : fusion.tokens.start();
  return prefix.fusion;
}
