// Self-attention of a decoder layer: over a whole sequence for training, or of new positions over a cache for generation.
import { type AttentionCache, groupQueryAttention, type Tensor, tf } from '../../engine/index.js';
import { Attention, normal, ones, type Parameter, type Pass } from '../../nn/index.js';
import { alibiSlopes } from './alibi.js';
import { causalAttention } from './causal-attention.js';
import { Dense } from './dense.js';
import { DecoderNorm } from './norm.js';
import type { DecoderOptions, LayerNames } from './options.js';
import type { RotaryPositions } from './rotary.js';

/** What all layers know of a sequence. */
export interface SequenceContext {
  /** int32 [B,T]; default: from 0 on. */
  readonly positions?: Tensor | undefined;
  /** Which document each position is of, int32 [B,T]; default: all are of one. */
  readonly documents?: Tensor | undefined;
  /** Turns queries and keys. */
  readonly rotary?: RotaryPositions | undefined;
}

/** Queries, keys and values come from one map, whose rows are Megatron's: of each group its queries, its key, its value. */
export class DecoderAttention extends Attention {
  private readonly qkv: Dense;
  private readonly projection: Dense;
  private readonly headScale: Parameter | undefined;
  private readonly slopes: readonly number[] | undefined;
  private readonly queryNorm: DecoderNorm | undefined;
  private readonly keyNorm: DecoderNorm | undefined;
  private readonly window: number | undefined;

  constructor(
    private readonly options: DecoderOptions,
    index: number,
    names: LayerNames,
  ) {
    super();
    const {
      width,
      heads,
      groups,
      headSize,
      bias,
      queryBias = bias,
      projectionBias = bias,
      initStd,
      scalesInit,
      layers,
    } = options;
    const weightInit = normal(initStd);
    const outInit = scalesInit ? normal(initStd / Math.sqrt(2 * layers)) : weightInit;
    this.window = options.windows?.[index];
    if (options.alibi) this.slopes = alibiSlopes(heads);
    const rows = (heads + 2 * groups) * headSize;
    const parts = [
      { name: 'q', rows: (heads / groups) * headSize },
      { name: 'k', rows: headSize },
      { name: 'v', rows: headSize },
    ];
    const qkv = new Dense(width, rows, { bias: queryBias, weightInit, rows: { groups, parts } });
    this.qkv = this.child(names.qkv, qkv);
    if (options.normsQueries) {
      const norm = () => new DecoderNorm(headSize, options.norm, options.epsilon);
      this.queryNorm = this.child(names.queryNorm, norm());
      this.keyNorm = this.child(names.keyNorm, norm());
    }
    if (options.scalesHeads) this.headScale = this.parameter(names.headScale, [1, heads, 1, 1], ones);
    const back = new Dense(heads * headSize, width, { bias: projectionBias, weightInit: outInit });
    this.projection = this.child(names.projection, back);
  }

  /** x [B,T,d] → same shape. */
  forward(x: Tensor, context: SequenceContext, pass: Pass): Tensor {
    const { heads, groups, headSize, attentionDropout = 0, scale, softcap } = this.options;
    const [batch, length] = x.shape as [number, number];
    const [query, key, value] = this.split(x, pass, [batch, length]);
    const { positions, documents, rotary } = context;
    const turn = (x: Tensor): Tensor => (rotary ? rotary.turn(x, positions) : x);
    const byHead = (x: Tensor, count: number): Tensor =>
      tf.transpose(tf.reshape(x, [batch, length, count, headSize]), [0, 2, 1, 3]);
    const look = ([q, k, v]: Tensor[]): Tensor =>
      causalAttention(q, k, v, {
        scale,
        softcap,
        window: this.window,
        documents,
        slopes: this.slopes,
        dropout: pass.training ? attentionDropout : 0,
      });
    const heard = this.look(
      look,
      [turn(byHead(query, heads)), turn(byHead(key, groups)), byHead(value, groups)],
      pass,
    );
    const scaled = this.headScale ? tf.mul(heard, this.headScale.tensor()) : heard;
    const joined = tf.reshape(tf.transpose(scaled, [0, 2, 1, 3]), [batch, length, heads * headSize]);
    return pass.tap(this.path, this.projection.forward(joined, pass));
  }

  /**
   * S new positions after those in the cache. x [B·S,d], `context.positions` int32 [B,S].
   * @returns y as x, and the cache's keys and values with the new ones, [B,G,room,D]
   */
  extend(
    x: Tensor,
    cache: AttentionCache,
    context: SequenceContext,
    pass: Pass,
  ): { y: Tensor; key: Tensor; value: Tensor } {
    const { heads, groups, headSize, softcap, scale = 1 / Math.sqrt(headSize) } = this.options;
    const { positions, rotary } = context;
    const [batch, steps] = (positions as Tensor).shape as [number, number];
    const [query, key, value] = this.split(x, pass, [batch, steps]);
    const turn = (x: Tensor, count: number): Tensor =>
      rotary ? rotary.turnFlat(x, count, positions as Tensor) : x;
    const room = cache.key.shape[2]!;
    const wide = (x: Tensor, count: number, next?: Tensor): Tensor =>
      this.widened(x, count, cache.key.shape[3]!, next);
    const [slopes, places] = this.slopes ? this.nearness(this.slopes, positions as Tensor, scale) : [];
    const [q, k, v] = [wide(turn(query, heads), heads, slopes), wide(turn(key, groups), groups, places), wide(value, groups)]; // biome-ignore format: one line
    const heard = groupQueryAttention(q, k, v, cache, room, {
      heads,
      groups,
      scale,
      ...(softcap === undefined ? {} : { softcap }),
      ...(this.window === undefined ? {} : { window: this.window }),
    });
    const size = cache.key.shape[3]!;
    const byHead = (x: Tensor): Tensor => tf.reshape(x, [batch, steps, heads, -1]);
    const output =
      size === headSize
        ? heard.output
        : tf.slice(byHead(heard.output), [0, 0, 0, 0], [batch, steps, heads, headSize]);
    const scales = this.headScale && tf.reshape(this.headScale.tensor(), [1, 1, heads, 1]);
    const scaled = scales ? tf.mul(byHead(output), scales) : output;
    const joined = tf.reshape(scaled, [batch * steps, heads * headSize]);
    return { y: this.projection.forward(joined, pass), key: heard.key, value: heard.value };
  }

  /**
   * One more number of each query, [B,S,N,1], and of each key, [B,S,G,1], whose product adds slope · position to a score: a softmax does
   * not see what all keys of a query have less. positions int32 [B,S].
   */
  private nearness(slopes: readonly number[], positions: Tensor, scale: number): [Tensor, Tensor] {
    const { heads, groups } = this.options;
    const [batch, steps] = positions.shape as [number, number];
    const own = slopes.map((slope) => slope / scale);
    const ofQueries = tf.tile(tf.tensor(own, [1, 1, heads, 1], 'float32'), [batch, steps, 1, 1]);
    const places = tf.reshape(tf.cast(positions, 'float32'), [batch, steps, 1, 1]);
    return [ofQueries, tf.tile(places, [1, 1, groups, 1])];
  }

  /** x [B,S,count·D] with heads of the cache's size: then comes `next` [B,S,count,1], then zeros. */
  private widened(x: Tensor, count: number, size: number, next?: Tensor): Tensor {
    const { headSize } = this.options;
    if (size === headSize) return x;
    const [batch, steps] = x.shape as [number, number];
    const byHead = tf.reshape(x, [batch, steps, count, headSize]);
    const filled = next ? tf.concat([byHead, next], 3) : byHead;
    const missing = size - filled.shape[3]!;
    const padded = tf.pad(filled, [[0, 0], [0, 0], [0, 0], [0, missing]]); // biome-ignore format: one line reads better
    return tf.reshape(padded, [batch, steps, count * size]);
  }

  /** Queries [B,T,N·D], keys and values [B,T,G·D] of x [B,T,d] or [B·T,d]. */
  private split(x: Tensor, pass: Pass, [batch, length]: readonly [number, number]): [Tensor, Tensor, Tensor] {
    const { heads, groups, headSize } = this.options;
    const repeats = heads / groups;
    const all = tf.reshape(this.qkv.forward(x, pass), [batch, length, groups, repeats + 2, headSize]);
    const [query, key, value] = tf.split(all, [repeats, 1, 1], 3);
    const flat = (x: Tensor, count: number, norm?: DecoderNorm): Tensor => {
      const heads = norm ? norm.forward(tf.reshape(x, [batch, length, count, headSize])) : x;
      return tf.reshape(heads, [batch, length, count * headSize]);
    };
    return [flat(query, heads, this.queryNorm), flat(key, groups, this.keyNorm), flat(value, groups)];
  }
}
