// The head of Transformer decoders.
import { type Tensor, tf } from '../engine/index.js';
import { dropout, linear, Module, type Parameter, type Pass, zeros } from '../nn/index.js';

/** Sizes of the classifier: d and V. */
export interface TokenClassifierConfig {
  readonly hidden_size: number;
  readonly num_classes: number;
  /** Of the hidden states. */
  readonly dropout: number;
}

/** What stands between a decoder's states and the tokens. */
export abstract class TokenHead extends Module {
  /** Width of the states it takes. */
  abstract readonly width: number;
  /** Shares the matrix of the decoder's embedding [V,d], for heads that have no matrix of their own. */
  shareEmbedding(_weight: Parameter): void {}
  /** hidden [...,d] → log-probabilities [...,V]. */
  abstract forward(hidden: Tensor, pass: Pass): Tensor;
}

/**
 * NeMo's TokenClassifier over the decoder's vocabulary. Its matrix is the token embedding of the decoder (Press &
 * Wolf 2017), as in NeMo, where checkpoints have it under both names.
 */
export class TokenClassifier extends TokenHead {
  readonly width: number;
  private readonly bias: Parameter;
  private weight: Parameter | undefined;

  constructor(readonly config: TokenClassifierConfig) {
    super();
    this.width = config.hidden_size;
    this.bias = this.parameter('mlp.layer0.bias', [config.num_classes], zeros);
  }

  override shareEmbedding(weight: Parameter): void {
    this.tie('mlp.layer0.weight', weight);
    this.weight = weight;
  }

  override forward(hidden: Tensor, pass: Pass): Tensor {
    if (!this.weight) throw new Error('shareEmbedding gives the matrix; it was not called');
    const droppedStates = dropout(hidden, this.config.dropout, pass);
    const logits = linear(droppedStates, this.weight.tensor(), this.bias.tensor());
    return pass.tap(this.path, tf.logSoftmax(logits));
  }
}
