// A loss of a decoder's tokens, as models name it by `model.loss._target_`.
import { defineKind } from '../../container/index.js';
import { type Tensor, tf } from '../../engine/index.js';
import type { Pass } from '../pass.js';
import { smoothedCrossEntropy } from './cross-entropy.js';
import { type WeightedLoss, weightedLoss } from './weighted-loss.js';

/** What a loss of tokens sees, for a batch. */
export interface TokenLossInput {
  /** Log-probabilities of what follows each token, [B,U,V]. */
  readonly logProbs: Tensor;
  /** The tokens that follow, int32 [B,U]. */
  readonly labels: Tensor;
  /** 1 for the tokens that count, [B,U]. */
  readonly mask: Tensor;
}

/** A loss of a decoder's tokens: `model.loss` of models with an attention decoder. */
export interface TokenLoss {
  /** The loss of a batch, inside a program. */
  forward(input: TokenLossInput, pass: Pass): WeightedLoss;
}

/** Losses of tokens as a kind of component. */
export const tokenLossKind = defineKind<TokenLoss>('token_loss', 'a loss of tokens');

/** NeMo's SmoothedCrossEntropyLoss; see `smoothedCrossEntropy`. */
export class SmoothedCrossEntropyLoss implements TokenLoss {
  /** @param eps keeps the mean of no tokens finite */
  constructor(
    private readonly labelSmoothing = 0,
    private readonly eps = 1e-6,
  ) {}

  forward({ logProbs, labels, mask }: TokenLossInput): WeightedLoss {
    const { labelSmoothing, eps: epsilon } = this;
    const value = smoothedCrossEntropy(logProbs, labels, mask, { labelSmoothing, epsilon });
    return weightedLoss(value, { unit: 'tokens', count: tf.sum(mask) });
  }
}
