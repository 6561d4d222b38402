// Attention of each frame to its neighbourhood only, in blocks, so that memory grows with T·w rather than T²
// (Longformer: Beltagy et al. 2020, with Transformer-XL's positions), NeMo's rel_pos_local_attn. A few global
// frames may attend to all and be attended by all.
import { inFullPrecision, type Tensor, tf, tracesAnyShape } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Pass } from '../pass.js';
import { type AttentionMask, type AttentionOptions, RelativeMultiHeadAttention } from './attention.js';
import { dropout } from './dropout.js';
import { Linear } from './linear.js';

/** How far each frame sees, and which frames see and are seen by all. */
export interface LocalAttentionOptions extends AttentionOptions {
  /** Frames seen on each side, at least one of them above 0. */
  readonly left: number;
  readonly right: number;
  /** Frames 0, spacing, 2·spacing, …, so many. Default 0. */
  readonly globalTokens?: number;
  /** Default 1. */
  readonly globalSpacing?: number;
  /** Projections of their own for what is global. Default false. */
  readonly globalSeparate?: boolean;
}

interface Projections {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/**
 * The numbers are NeMo's, with one exception: with more than one global frame NeMo (2.4) mixes up the global
 * queries of different heads and utterances; here each keeps its own.
 */
export class LocalMultiHeadAttention extends RelativeMultiHeadAttention {
  private readonly globalLinears: readonly [Linear, Linear, Linear] | undefined;

  constructor(private readonly local: LocalAttentionOptions) {
    super(local);
    const { width, bias } = local;
    const global = (name: string): Linear => this.child(`global_${name}`, new Linear(width, width, { bias }));
    this.globalLinears = local.globalSeparate ? [global('q'), global('k'), global('v')] : undefined;
  }

  /**
   * x [B,T,d], positions [2w+1,d] from `localPositions` with w the larger context, `mask` from
   * `localAttentionMask` → [B,T,d]. Blocks come out differently for different lengths: a file for all of them looks at
   * every frame under a band, and takes positions [2T-1,d] from `bandPositions`, `mask` from `attentionMask`.
   */
  override forward(x: Tensor, mask: AttentionMask, pass: Pass, positions?: Tensor): Tensor {
    if (!positions)
      throw new AnemoneError({ code: 'nn.positions', message: 'local attention needs positions' });
    const q = this.linearQ.forward(x, pass);
    const [k, v] = [this.linearK, this.linearV].map((map) => this.split(map.forward(x, pass)));
    const look = ([x, q, k, v]: Tensor[]): Tensor => this.context(x, { q, k, v }, positions, mask, pass);
    return this.project(this.look(look, [x, q, k, v], pass), pass);
  }

  /** What the frames x see, [B,T,d], from the projections that are not global. */
  private context(
    x: Tensor,
    { q, k, v }: Projections,
    positions: Tensor,
    mask: AttentionMask,
    pass: Pass,
  ): Tensor {
    const { width } = this.options;
    const [batch, frames] = x.shape;
    const localContext = tracesAnyShape() ? this.overAll(q, k, positions) : this.inBlocks(q, k, positions);
    const scores = tf.add(localContext.scores, mask.bias);
    const globalCount = this.globalFrames(frames!);
    const drop = (weights: Tensor): Tensor => dropout(weights, this.options.dropout ?? 0, pass);
    const merge = (heads: Tensor): Tensor =>
      tf.reshape(tf.transpose(heads, [0, 2, 1, 3]), [batch, heads.shape[2]!, width]);
    if (globalCount === 0) return tf.mul(merge(localContext.over(drop(tf.softmax(scores)), v)), mask.queries);
    const global = this.globalProjections(x, q, k, v);
    const [globalK, globalV] = [this.pick(global.k, globalCount), this.pick(v, globalCount)];
    const toGlobal = localContext.arranged(this.hideAbsent(tf.matMul(global.q, globalK, false, true), pass));
    const weights = drop(tf.softmax(tf.concat([toGlobal, scores], -1)));
    const [ofGlobal, ofNear] = tf.split(weights, [globalCount, scores.shape.at(-1)!], -1);
    const fromGlobal = tf.matMul(localContext.flat(ofGlobal), globalV);
    const context = merge(tf.add(localContext.over(ofNear, v), fromGlobal));
    const overAll = tf.matMul(this.pick(global.q, globalCount), global.k, false, true);
    const validQueries = tf.reshape(mask.queries, [batch, 1, 1, frames!]);
    const blocked = tf.mul(tf.sub(validQueries, tf.scalar(1)), tf.scalar(10000));
    const ofAll = tf.matMul(drop(tf.softmax(tf.add(overAll, blocked))), global.v);
    return this.replace(tf.mul(context, mask.queries), merge(ofAll));
  }

  private inBlocks(q: Tensor, k: Tensor, positions: Tensor): Neighbourhood {
    const frames = q.shape[1]!;
    const block = localBlock(frames, this.local.left, this.local.right);
    return {
      scores: this.nearScores(q, k, positions, block),
      over: (weights, values) => overWindows(weights, values, block),
      arranged: (x) => blocks(x, block),
      flat: (x) => flatten(x, frames),
    };
  }

  private overAll(q: Tensor, k: Tensor, positions: Tensor): Neighbourhood {
    const scores = this.scores(q, k, positions);
    const identity = (x: Tensor): Tensor => x;
    return {
      scores,
      over: (weights, values) => tf.matMul(weights, values),
      arranged: identity,
      flat: identity,
    };
  }

  /** Scores of each frame's window [B,h,blocks,block,3·block]. */
  private nearScores(q: Tensor, k: Tensor, positions: Tensor, block: number): Tensor {
    const scale = tf.scalar(1 / Math.sqrt(this.headWidth));
    const biased = (bias: Tensor): Tensor =>
      this.split(tf.mul(tf.add(q, tf.reshape(bias, [this.options.width])), scale));
    const content = matMul5(blocks(biased(this.posBiasU.tensor()), block), windows(k, block), true);
    const reach = (positions.shape[0]! - 1) / 2;
    const rows = tf.slice(positions, [reach - block, 0], [2 * block + 1, positions.shape[1]!]);
    const offsets = this.splitPositions(rows);
    const distance = tf.matMul(biased(this.posBiasV.tensor()), offsets, false, true);
    return tf.add(content, skew(blocks(distance, block)));
  }

  private globalProjections(x: Tensor, q: Tensor, k: Tensor, v: Tensor): Projections {
    const scale = tf.scalar(1 / Math.sqrt(this.headWidth));
    if (!this.globalLinears) return { q: this.split(tf.mul(q, scale)), k, v };
    const [own, keys, values] = this.globalLinears.map((linear) => linear.forward(x));
    return { q: this.split(tf.mul(own, scale)), k: this.split(keys), v: this.split(values) };
  }

  /**
   * Number of global frames. In a file for any length there are always as many; `hideAbsent` hides those beyond the
   * end.
   */
  private globalFrames(frames: number): number {
    const { globalTokens = 0, globalSpacing = 1 } = this.local;
    if (tracesAnyShape()) return globalTokens;
    return Math.min(globalTokens, Math.ceil(frames / globalSpacing));
  }

  /** The global frames of x [B,h,T,D] → [B,h,G,D]. */
  private pick(x: Tensor, count: number): Tensor {
    const [batch, heads, frames, width] = x.shape;
    const spacing = this.local.globalSpacing ?? 1;
    const missingFrames = tracesAnyShape() ? count * spacing : Math.max(0, count * spacing - frames!);
    const span = padAxis2(x, missingFrames);
    const head = tf.slice(span, [0, 0, 0, 0], [batch, heads, count * spacing, width!]);
    if (spacing === 1) return head;
    const grid = tf.reshape(head, [batch, heads, count, spacing * width!]);
    return tf.slice(grid, [0, 0, 0, 0], [batch, heads, count, width!]);
  }

  /**
   * scores [B,h,T,G] for global frames; hidden are those that the batch does not have, and where G does not depend on T,
   * those that T frames do not have.
   */
  private hideAbsent(scores: Tensor, { extent }: Pass): Tensor {
    if (!tracesAnyShape() && !extent) return scores;
    const [, , frames, count] = scores.shape;
    const end = extent ? extent.frames : tf.scalar(frames!, 'int32');
    const isThere = tf.less(this.globalPlaces(count!), end);
    const hidden = tf.mul(tf.sub(tf.cast(isThere, 'float32'), tf.scalar(1)), tf.scalar(10000));
    return tf.add(scores, hidden);
  }

  /** int32 [G]: 0, spacing, 2·spacing, … */
  private globalPlaces(count: number): Tensor {
    const spacing = this.local.globalSpacing ?? 1;
    return tf.tensor1d(Int32Array.from({ length: count }, (_, i) => i * spacing), 'int32'); // biome-ignore format: one line reads better
  }

  /** x [B,T,d] with its global frames replaced by rows [B,G,d]. */
  private replace(x: Tensor, rows: Tensor): Tensor {
    const frames = x.shape[1]!;
    const count = rows.shape[1]!;
    const time = tf.reshape(tf.range(0, frames, 1, 'int32'), [1, frames, 1]);
    const places = tf.reshape(this.globalPlaces(count), [1, 1, count]);
    const place = tf.cast(tf.equal(time, places), 'float32');
    const otherFrames = tf.sub(tf.scalar(1), tf.sum(place, -1, true));
    const placed = inFullPrecision(() => tf.matMul(place, rows));
    return tf.add(tf.mul(x, otherFrames), placed);
  }
}

/** What a frame sees near it: in windows of blocks, or as a band over all frames. */
interface Neighbourhood {
  /** [..., keys] */
  readonly scores: Tensor;
  /** weights like `scores`, of values [B,h,T,D] → [B,h,T,D] */
  readonly over: (weights: Tensor, values: Tensor) => Tensor;
  /** [B,h,T,N] → the same with the axes of `scores` */
  readonly arranged: (x: Tensor) => Tensor;
  /** The inverse. */
  readonly flat: (x: Tensor) => Tensor;
}

/** Frames of a block: the larger context, or all but one of the frames if there are fewer. */
export function localBlock(frames: number, left: number, right: number): number {
  return Math.max(1, Math.min(Math.max(left, right), frames - 1));
}

/** valid [B,T], 1 for real frames. `bias` is for the windows: [B,1,blocks,block,3·block]. */
export function localAttentionMask(valid: Tensor, left: number, right: number): AttentionMask {
  const [batch, frames] = valid.shape;
  const block = localBlock(frames!, left, right);
  const band = new Float32Array(block * 3 * block);
  for (let query = 0; query < block; query++) {
    for (let column = 0; column < 3 * block; column++) {
      const ahead = column - block - query;
      band[query * 3 * block + column] = ahead >= -left && ahead <= right ? 1 : 0;
    }
  }
  const keys = windows(tf.reshape(valid, [batch, 1, frames!, 1]), block);
  const count = keys.shape[2]!;
  const allowedPairs = tf.mul(
    tf.reshape(keys, [batch, 1, count, 1, 3 * block]),
    tf.tensor(band, [1, 1, 1, block, 3 * block]),
  );
  return {
    bias: tf.mul(tf.sub(allowedPairs, tf.scalar(1)), tf.scalar(10000)),
    queries: tf.reshape(valid, [batch, frames!, 1]),
  };
}

/** x [B,h,T,D] → [B,h,blocks,block,D], zeros at the end. */
function blocks(x: Tensor, block: number): Tensor {
  const [batch, heads, frames, width] = x.shape;
  const count = Math.ceil(frames! / block);
  return tf.reshape(padAxis2(x, count * block - frames!), [batch, heads, count, block, width!]);
}

/** The inverse of `blocks`: [B,h,blocks,block,D] → [B,h,T,D]. */
function flatten(x: Tensor, frames: number): Tensor {
  const [batch, heads, count, block, width] = x.shape;
  const flat = tf.reshape(x, [batch, heads, count! * block!, width!]);
  return frames === count! * block! ? flat : tf.slice(flat, [0, 0, 0, 0], [batch, heads, frames, width!]);
}

/** The block of each block, with its neighbours: x [B,h,T,D] → [B,h,blocks,3·block,D]. */
function windows(x: Tensor, block: number): Tensor {
  const [batch, heads, frames, width] = x.shape;
  const count = Math.ceil(frames! / block);
  const after = (count + 1) * block - frames!;
  const padded = tf.pad(x, [[0, 0], [0, 0], [block, after], [0, 0]]); // biome-ignore format: one line reads better
  const grid = tf.reshape(padded, [batch, heads, count + 2, block, width!]);
  const shifted = [0, 1, 2].map((i) => tf.slice(grid, [0, 0, i, 0, 0], [batch, heads, count, block, width!]));
  return tf.concat(shifted, 3);
}

/** weights [B,h,blocks,block,3·block] over the windows of values [B,h,T,D] → [B,h,T,D]. */
function overWindows(weights: Tensor, values: Tensor, block: number): Tensor {
  return flatten(matMul5(weights, windows(values, block), false), values.shape[2]!);
}

/** Row r of [..., block, 2·block+1] moved r columns to the right: [..., block, 3·block], zeros elsewhere. */
function skew(x: Tensor): Tensor {
  const [batch, heads, count, block, columns] = x.shape;
  const wide = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 0], [0, block!]]); // biome-ignore format: one line reads better
  const flat = tf.reshape(wide, [batch, heads, count!, block! * (columns! + block!)]);
  const cut = tf.slice(flat, [0, 0, 0, 0], [batch, heads, count!, 3 * block! * block!]);
  return tf.reshape(cut, [batch, heads, count!, block!, 3 * block!]);
}

/** Matrix products over the last two of five axes. */
function matMul5(a: Tensor, b: Tensor, transposeB: boolean): Tensor {
  const [batch, heads, ...rest] = a.shape;
  const mergeHeads = (x: Tensor): Tensor => tf.reshape(x, [batch * heads!, ...x.shape.slice(2)]);
  const product = tf.matMul(mergeHeads(a), mergeHeads(b), false, transposeB);
  return tf.reshape(product, [batch, heads!, rest[0]!, ...product.shape.slice(2)]);
}

function padAxis2(x: Tensor, after: number): Tensor {
  if (after === 0) return x;
  return tf.pad(x, [[0, 0], [0, 0], [0, after], [0, 0]]); // biome-ignore format: one line reads better
}
