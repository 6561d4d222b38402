// The feed-forward block of NeMo's Transformer modules. That of the Conformer, with its other names, is in src/nn.
import type { Tensor } from '../engine/index.js';
import { activationByName, dropout, type Linear, Module, type Pass } from '../nn/index.js';
import { transformerLinear } from './attention.js';

export interface FeedForwardSizes {
  readonly hidden_size: number;
  readonly inner_size: number;
  /** Dropout of the output. */
  readonly ffn_dropout: number;
  readonly hidden_act: 'relu' | 'gelu';
}

export class PositionWiseFF extends Module {
  private readonly denseIn: Linear;
  private readonly denseOut: Linear;

  constructor(private readonly sizes: FeedForwardSizes) {
    super();
    this.denseIn = this.child('dense_in', transformerLinear(sizes.hidden_size, sizes.inner_size));
    this.denseOut = this.child('dense_out', transformerLinear(sizes.inner_size, sizes.hidden_size));
  }

  /** x [...,d] → same shape. */
  forward(x: Tensor, pass: Pass): Tensor {
    const hidden = activationByName(this.sizes.hidden_act)(this.denseIn.forward(x, pass));
    return pass.tap(this.path, dropout(this.denseOut.forward(hidden, pass), this.sizes.ffn_dropout, pass));
  }
}
