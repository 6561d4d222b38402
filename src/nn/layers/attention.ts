// Multi-head self-attention, plain and with relative positions (Transformer-XL: Dai et al. 2019).
import { type Tensor, tf } from '../../engine/index.js';
import { type Initializer, zeros } from '../initializers.js';
import type { Parameter } from '../parameter.js';
import type { Pass } from '../pass.js';
import { recomputeCheaply } from '../recompute.js';
import { Attention } from './attention-module.js';
import { dropout } from './dropout.js';
import { Linear } from './linear.js';
import { attendInBlocks, looksInBlocks, type QueriesAndKeys } from './query-blocks.js';
import { relativeShift } from './relative-shift.js';

/** What may attend to what. */
export interface AttentionMask {
  /** 0 where query i may see key j, -10000 elsewhere; [B or 1, 1, T, K], or as `localAttentionMask` says. */
  readonly bias: Tensor;
  /** 1 for queries that see anything, 0 for others; [B,T,1]. */
  readonly queries: Tensor;
}

/** Sizes of an attention layer and how it starts. */
export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  /** Dropout of the attention weights. Default 0. */
  readonly dropout?: number;
  /** Biases of the four projections. Default true. */
  readonly bias?: boolean;
  /** Width of queries, keys and values of all heads together. Default `width`. */
  readonly inner?: number;
  /** Initial values of linear_out. Default: those of other linear maps. */
  readonly outInit?: Initializer;
}

/** Plain scaled dot-product attention; the positions were added to the input. */
export class MultiHeadAttention extends Attention {
  protected readonly linearQ: Linear;
  protected readonly linearK: Linear;
  protected readonly linearV: Linear;
  protected readonly linearOut: Linear;
  protected readonly headWidth: number;
  protected readonly inner: number;

  constructor(protected readonly options: AttentionOptions) {
    super();
    const { width, heads, bias, outInit } = options;
    this.inner = options.inner ?? width;
    this.headWidth = this.inner / heads;
    this.linearQ = this.child('linear_q', new Linear(width, this.inner, { bias }));
    this.linearK = this.child('linear_k', new Linear(width, this.inner, { bias }));
    this.linearV = this.child('linear_v', new Linear(width, this.inner, { bias }));
    const out = { bias, weightInit: outInit, biasInit: outInit };
    this.linearOut = this.child('linear_out', new Linear(this.inner, width, out));
  }

  /** x [B,T,d] → [B,T,d]. */
  forward(x: Tensor, mask: AttentionMask, pass: Pass): Tensor {
    const queries = this.linearQ.forward(x, pass);
    const keys = this.split(this.linearK.forward(x, pass));
    if (this.looksInBlocks(queries, keys, pass)) return this.attendInBlocks({ queries, keys }, x, mask, pass);
    const query = this.split(tf.mul(queries, tf.scalar(this.scale)));
    return this.attend([query, keys], ([query, keys]) => tf.matMul(query, keys, false, true), x, mask, pass);
  }

  /** Factor of the scores. */
  protected get scale(): number {
    return 1 / Math.sqrt(this.headWidth);
  }

  /** [B,T,h·dk] → [B,h,T,dk]. */
  protected split(x: Tensor): Tensor {
    const [batch, frames] = x.shape;
    return tf.transpose(tf.reshape(x, [batch, frames, this.options.heads, this.headWidth]), [0, 2, 1, 3]);
  }

  /**
   * The frames x [B,T,d] look at frames [B,K,d]. `scores` are [B,h,T,K] from queries and keys, already divided by √dk. A
   * query that sees nothing gets zeros before linear_out.
   */
  protected attend(
    queriesAndKeys: readonly Tensor[],
    scores: (queriesAndKeys: Tensor[]) => Tensor,
    x: Tensor,
    mask: AttentionMask,
    pass: Pass,
    seenFrames: Tensor = x,
  ): Tensor {
    const drop = (weights: Tensor): Tensor => dropout(weights, this.options.dropout ?? 0, pass);
    const look = ([values, ...queriesAndKeys]: Tensor[]): Tensor => {
      const weights = tf.softmax(tf.add(scores(queriesAndKeys), mask.bias));
      return recomputeCheaply(
        ([weights, values]) => tf.matMul(drop(weights), values),
        [weights, values],
        pass,
      );
    };
    const values = this.split(this.linearV.forward(seenFrames, pass));
    const context = this.look(look, [values, ...queriesAndKeys], pass);
    const [batch, frames] = x.shape;
    const mergedHeads = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [batch, frames!, this.inner]);
    return this.project(tf.mul(mergedHeads, mask.queries), pass);
  }

  /** Whether `attendInBlocks` is for queries [B,T,h·dk] and keys [B,h,K,dk]. */
  protected looksInBlocks(queries: Tensor, keys: Tensor, pass: Pass): boolean {
    return looksInBlocks(queries, keys, this.options.dropout ?? 0, pass);
  }

  /** As `attend`, from queries [B,T,h·dk] as they are projected. */
  protected attendInBlocks(
    queriesAndKeys: Omit<QueriesAndKeys, 'values' | 'bias' | 'seeing'>,
    seenFrames: Tensor,
    mask: AttentionMask,
    pass: Pass,
  ): Tensor {
    const values = this.split(this.linearV.forward(seenFrames, pass));
    const input = { ...queriesAndKeys, values, bias: mask.bias, seeing: mask.queries };
    return this.project(attendInBlocks(input, { scale: this.scale, dropout: this.options.dropout }), pass);
  }

  /** The output projection. context [B,T,inner], all heads side by side, to [B,T,width]. */
  protected project(context: Tensor, pass: Pass): Tensor {
    return pass.tap(this.path, this.linearOut.forward(context, pass));
  }
}

/**
 * Attention whose scores also depend on the distance of query and key:
 * ((q+u)·k + (q+v)·linear_pos(position)) / √dk.
 */
export class RelativeMultiHeadAttention extends MultiHeadAttention {
  private readonly linearPos: Linear;
  readonly posBiasU: Parameter;
  readonly posBiasV: Parameter;

  /** `shared` gives the two position biases of another layer, which then stand for this layer's own. */
  constructor(
    options: AttentionOptions,
    private readonly shared?: RelativeMultiHeadAttention,
  ) {
    super(options);
    const shape = [options.heads, this.headWidth];
    this.linearPos = this.child('linear_pos', new Linear(options.width, this.inner, { bias: false }));
    this.posBiasU = this.parameter('pos_bias_u', shape, zeros);
    this.posBiasV = this.parameter('pos_bias_v', shape, zeros);
    if (!shared) return;
    for (const [own, used] of [
      [this.posBiasU, shared.posBiasU],
      [this.posBiasV, shared.posBiasV],
    ]) {
      own.trainable = false;
      own.tiedTo = used;
    }
  }

  /**
   * x [B,T,d], positions [2T-1,d] from T-1 down to -(T-1) → [B,T,d]. `keys` [B,K,d] are frames that end with x, when
   * more than x can be seen; positions [T+K-1,d] then go from K-1 down.
   */
  override forward(x: Tensor, mask: AttentionMask, pass: Pass, positions?: Tensor, keys: Tensor = x): Tensor {
    if (!positions) return super.forward(x, mask, pass);
    const queries = this.linearQ.forward(x, pass);
    const k = this.split(this.linearK.forward(keys, pass));
    if (this.looksInBlocks(queries, k, pass)) {
      const [biasU, biasV] = this.positionBiases();
      const relative = { biasU, biasV, offsets: this.splitPositions(positions) };
      return this.attendInBlocks({ queries, keys: k, ...relative }, keys, mask, pass);
    }
    return this.attend([queries, k], ([q, k]) => this.scores(q, k, positions), x, mask, pass, keys);
  }

  /** q [B,T,h·dk], k [B,h,K,dk], positions as in `forward` → [B,h,T,K]. */
  protected scores(q: Tensor, k: Tensor, positions: Tensor): Tensor {
    const scale = tf.scalar(this.scale);
    const biased = (bias: Tensor): Tensor => this.split(tf.mul(tf.add(q, bias), scale));
    const [biasU, biasV] = this.positionBiases();
    const content = tf.matMul(biased(biasU), k, false, true);
    const offsets = this.splitPositions(positions);
    return tf.add(content, relativeShift(tf.matMul(biased(biasV), offsets, false, true)));
  }

  /** [h·dk] each: what is added to queries that are compared with keys, and with positions. */
  private positionBiases(): [Tensor, Tensor] {
    const { posBiasU, posBiasV } = this.shared ?? this;
    return [tf.reshape(posBiasU.tensor(), [this.inner]), tf.reshape(posBiasV.tensor(), [this.inner])];
  }

  /** positions [P,d] → [1,h,P,dk]. */
  protected splitPositions(positions: Tensor): Tensor {
    return this.split(tf.expandDims(this.linearPos.forward(positions), 0));
  }
}
