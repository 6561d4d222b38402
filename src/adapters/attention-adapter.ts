// The tiny-attention adapter (Zhao et al. 2022), NeMo's MultiHeadAttentionAdapter and
// RelPositionMultiHeadAttentionAdapter: another, narrow self-attention after that of a layer.
import type { Tensor } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import {
  type AttentionMask,
  LayerNorm,
  MultiHeadAttention,
  type Pass,
  RelativeMultiHeadAttention,
  zeros,
} from '../nn/index.js';
import { Adapter, type ResidualAdd } from './adapter.js';

export interface AttentionAdapterConfig {
  readonly n_head: number;
  /** Width d of what it adapts. */
  readonly n_feat: number;
  /** Dropout of the attention weights. */
  readonly dropout_rate: number;
  /** Width of queries, keys and values: null for n_feat, below 1 for n_head. */
  readonly proj_dim: number | null;
  readonly adapter_strategy: ResidualAdd;
}

/** Which positions a layer's attention knows; an adapter's must be the same. */
export type AttentionPositions = 'rel_pos' | 'abs_pos';

/** The output projection starts at zero, so that a new adapter changes nothing. */
export class AttentionAdapter extends Adapter {
  private readonly norm: LayerNorm;
  private readonly attention: MultiHeadAttention;

  constructor(
    config: AttentionAdapterConfig,
    readonly positions: AttentionPositions,
  ) {
    super(config.adapter_strategy);
    const { n_head: heads, n_feat: width, proj_dim: projected } = config;
    const innerWidth = projected === null ? width : projected < 1 ? heads : projected;
    if (innerWidth % heads !== 0) {
      throw new AnemoneError({
        code: 'adapter.heads',
        path: 'adapter.n_head',
        message: `${heads} heads do not divide ${projected === null ? 'n_feat' : 'proj_dim'} ${innerWidth}`,
      });
    }
    const options = { width, heads, inner: innerWidth, dropout: config.dropout_rate, outInit: zeros };
    // NeMo's class is an attention itself, so the names of the attention's weights have no prefix.
    const type = positions === 'rel_pos' ? RelativeMultiHeadAttention : MultiHeadAttention;
    this.attention = this.child('', new type(options));
    this.norm = this.child('pre_norm', new LayerNorm(width));
  }

  /** x [B,T,d], positions [2T-1,d] with rel_pos → [B,T,d]. */
  attend(x: Tensor, mask: AttentionMask, positions: Tensor | undefined, pass: Pass): Tensor {
    const input = this.norm.forward(x);
    const addition =
      this.attention instanceof RelativeMultiHeadAttention
        ? this.attention.forward(input, mask, pass, positions)
        : this.attention.forward(input, mask, pass);
    return this.join(x, addition, pass);
  }
}
