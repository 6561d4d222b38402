// The head of Transformer decoders.
import { type Tensor, tf } from '../engine/index.js';
import { dropout, linear, Module, type Parameter, type Pass, zeros } from '../nn/index.js';

/** Sizes of the classifier: d and V. */
export interface TokenClassifierConfig {
  readonly hidden_size: number;
  readonly num_classes: number;
  /** Dropout of the hidden states. */
  readonly dropout: number;
}

/**
 * NeMo's TokenClassifier over the decoder's vocabulary. Its matrix is the token embedding of the decoder (Press &
 * Wolf 2017), as in NeMo, where checkpoints have it under both names.
 */
export class TokenClassifier extends Module {
  private readonly bias: Parameter;

  /** @param weight [num_classes, hidden_size], of the embedding */
  constructor(
    readonly config: TokenClassifierConfig,
    private readonly weight: Parameter,
  ) {
    super();
    this.tie('mlp.layer0.weight', weight);
    this.bias = this.parameter('mlp.layer0.bias', [config.num_classes], zeros);
  }

  /** hidden [...,d] → log-probabilities [...,V]. */
  forward(hidden: Tensor, pass: Pass): Tensor {
    const droppedStates = dropout(hidden, this.config.dropout, pass);
    const logits = linear(droppedStates, this.weight.tensor(), this.bias.tensor());
    return pass.tap(this.path, tf.logSoftmax(logits));
  }
}
