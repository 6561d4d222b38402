// Multi-head attention of NeMo's Transformer modules: queries and keys may be of two sequences. The encoders'
// self-attention, with its other names and its relative positions, is in src/nn.
import { type Tensor, tf } from '../engine/index.js';
import {
  Attention,
  attendInBlocks,
  dropout,
  Linear,
  looksInBlocks,
  type Pass,
  xavierUniform,
  zeros,
} from '../nn/index.js';

export interface AttentionSizes {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  /** Dropout of the attention weights. */
  readonly attn_score_dropout: number;
  /** Dropout of the output. */
  readonly attn_layer_dropout: number;
}

/** Keys and values of a sequence, split by head: [B,h,K,dk] each. */
export interface Memory {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Xavier-uniform weights and zero biases, as NeMo's `transformer_weights_init`. */
export function transformerLinear(width: number, out: number): Linear {
  return new Linear(width, out, { weightInit: xavierUniform(width, out), biasInit: zeros });
}

export class TransformerAttention extends Attention {
  private readonly queryNet: Linear;
  private readonly keyNet: Linear;
  private readonly valueNet: Linear;
  private readonly outProjection: Linear;

  constructor(private readonly sizes: AttentionSizes) {
    super();
    const { hidden_size: width } = sizes;
    this.queryNet = this.child('query_net', transformerLinear(width, width));
    this.keyNet = this.child('key_net', transformerLinear(width, width));
    this.valueNet = this.child('value_net', transformerLinear(width, width));
    this.outProjection = this.child('out_projection', transformerLinear(width, width));
  }

  get headWidth(): number {
    return this.sizes.hidden_size / this.sizes.num_attention_heads;
  }

  /** queries [B,T,d], keys [B,K,d], bias [B,1,T or 1,K] (0, or -10000 for what is not to be seen) → [B,T,d]. */
  forward(queries: Tensor, keys: Tensor, bias: Tensor, pass: Pass): Tensor {
    return this.attend(queries, this.memory(keys, keys, pass), bias, pass);
  }

  /** x [B,K,d]; what the values are made of is mostly the same. */
  memory(x: Tensor, forValues: Tensor, pass: Pass): Memory {
    return {
      keys: this.split(tf.mul(this.keyNet.forward(x, pass), tf.scalar(this.scale))),
      values: this.split(this.valueNet.forward(forValues, pass)),
    };
  }

  /** As `forward`, with the keys' projections at hand. */
  attend(queries: Tensor, { keys, values }: Memory, bias: Tensor, pass: Pass): Tensor {
    const context = this.context(this.queryNet.forward(queries, pass), { keys, values }, bias, pass);
    const y = dropout(this.outProjection.forward(context, pass), this.sizes.attn_layer_dropout, pass);
    return pass.tap(this.path, y);
  }

  /** What queries see, [B,T,d] as they are. */
  private context(queries: Tensor, { keys, values }: Memory, bias: Tensor, pass: Pass): Tensor {
    const { attn_score_dropout: probability } = this.sizes;
    if (looksInBlocks(queries, keys, probability, pass)) {
      return attendInBlocks({ queries, keys, values, bias }, { scale: this.scale, dropout: probability });
    }
    const query = this.split(tf.mul(queries, tf.scalar(this.scale)));
    const look = ([query, keys, values]: Tensor[]): Tensor => {
      const scores = tf.add(tf.matMul(query, keys, false, true), bias);
      return tf.matMul(dropout(tf.softmax(scores), probability, pass), values);
    };
    const context = this.look(look, [query, keys, values], pass);
    return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), queries.shape);
  }

  /** Queries and keys are both divided by the fourth root of their width, which keeps the products small. */
  private get scale(): number {
    return 1 / Math.sqrt(Math.sqrt(this.headWidth));
  }

  /** [B,T,d] → [B,h,T,dk]. */
  private split(x: Tensor): Tensor {
    const [batch, length] = x.shape;
    const { num_attention_heads: heads } = this.sizes;
    return tf.transpose(tf.reshape(x, [batch, length, heads, this.headWidth]), [0, 2, 1, 3]);
  }
}
