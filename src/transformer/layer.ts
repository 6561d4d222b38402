// A layer of NeMo's Transformer modules, with or without cross-attention to another sequence.
import { type Tensor, tf } from '../engine/index.js';
import { block, LayerNorm, Module, type Pass } from '../nn/index.js';
import { type AttentionSizes, type Memory, TransformerAttention } from './attention.js';
import { type FeedForwardSizes, PositionWiseFF } from './position-wise.js';

export interface LayerSizes extends AttentionSizes, FeedForwardSizes {
  /** Normalise before each block instead of after it. */
  readonly pre_ln: boolean;
}

/** Another sequence that the layer looks at. */
export interface CrossAttention {
  readonly memory: Memory;
  /** [B,1,1,K] */
  readonly bias: Tensor;
  /** Rows of the layer's input that belong to one row of the memory: hypotheses of an utterance. Default 1. */
  readonly rows?: number;
}

type Block = (x: Tensor, pass: Pass) => Tensor;

export class TransformerLayer extends Module {
  private readonly norms: readonly LayerNorm[];
  private readonly selfAttention: TransformerAttention;
  private readonly crossAttention: TransformerAttention | undefined;
  private readonly feedForward: PositionWiseFF;

  /** Children are named by their place, as in NeMo: `first_sub_layer`, `layer_norm_1`, … */
  constructor(
    private readonly sizes: LayerSizes,
    options: { readonly cross: boolean },
  ) {
    super();
    const count = options.cross ? 3 : 2;
    this.norms = Array.from({ length: count }, (_, i) =>
      this.child(`layer_norm_${i + 1}`, new LayerNorm(sizes.hidden_size)),
    );
    this.selfAttention = this.child('first_sub_layer', new TransformerAttention(sizes));
    if (options.cross) {
      this.crossAttention = this.child('second_sub_layer', new TransformerAttention(sizes));
    }
    const last = options.cross ? 'third_sub_layer' : 'second_sub_layer';
    this.feedForward = this.child(last, new PositionWiseFF(sizes));
  }

  /** x [B,T,d], bias [B,1,T or 1,T] → [B,T,d]. */
  forward(x: Tensor, bias: Tensor, pass: Pass, cross?: CrossAttention): Tensor {
    const attend: Block = (y, pass) => this.selfAttention.forward(y, y, bias, pass);
    return pass.tap(this.path, this.blocks(x, attend, pass, cross));
  }

  /**
   * x [B,U,d] after `past` [B,P,d], which this layer read before; bias [1,1,U,P+U]. `seen` [B,P+U,d] is what it has
   * read now. Costs more than `step`, which keeps keys and values, and needs but one tensor a layer.
   */
  extend(
    x: Tensor,
    past: Tensor,
    bias: Tensor,
    pass: Pass,
    cross: CrossAttention,
  ): { y: Tensor; seen: Tensor } {
    const seenStates = tf.concat([past, x], 1);
    const keys = this.sizes.pre_ln ? this.norms[0].forward(seenStates) : seenStates;
    const attend: Block = (y) => this.selfAttention.forward(y, keys, bias, pass);
    return { y: this.blocks(x, attend, pass, cross), seen: seenStates };
  }

  /**
   * One position: x [N,1,d] with the keys and values of those before it, past [N,h,L,dk]; bias [N,1,1,L+1].
   * `added` are its own keys and values, [N,h,1,dk].
   */
  step(
    x: Tensor,
    past: Memory,
    bias: Tensor,
    pass: Pass,
    cross: CrossAttention,
  ): { y: Tensor; added: Memory } {
    let addedMemory: Memory | undefined;
    const attend: Block = (y) => {
      const ownMemory = this.selfAttention.memory(y, y, pass);
      addedMemory = ownMemory;
      const memory = {
        keys: tf.concat([past.keys, ownMemory.keys], 2),
        values: tf.concat([past.values, ownMemory.values], 2),
      };
      return this.selfAttention.attend(y, memory, bias, pass);
    };
    const y = this.blocks(x, attend, pass, cross);
    return { y, added: addedMemory as Memory };
  }

  /** Keys and values of the other sequence, [B,K,d]; see `TransformerAttention.memory`. */
  crossMemory(states: Tensor, forValues: Tensor, pass: Pass): Memory {
    return (this.crossAttention as TransformerAttention).memory(states, forValues, pass);
  }

  private blocks(x: Tensor, attend: Block, pass: Pass, cross?: CrossAttention): Tensor {
    const blocks: Block[] = [attend];
    if (cross) blocks.push((y, pass) => this.look(y, cross, pass));
    blocks.push((y, pass) => this.feedForward.forward(y, pass));
    const { pre_ln: normsBefore } = this.sizes;
    return blocks.reduce((y, compute, i) => {
      const norm = this.norms[i];
      const sum = block(y, pass, (y, residual, pass) =>
        tf.add(compute(normsBefore ? norm.forward(y) : y, pass), residual),
      );
      return normsBefore ? sum : norm.forward(sum);
    }, x);
  }

  private look(y: Tensor, { memory, bias, rows = 1 }: CrossAttention, pass: Pass): Tensor {
    const attention = this.crossAttention as TransformerAttention;
    if (rows === 1) return attention.attend(y, memory, bias, pass);
    // The hypotheses of one utterance are queries side by side, so that its encoder frames are in memory once.
    const [batch, , width] = y.shape;
    const together = tf.reshape(y, [batch / rows, rows, width]);
    return tf.reshape(attention.attend(together, memory, bias, pass), y.shape);
  }
}
