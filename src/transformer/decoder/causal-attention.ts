// Causal attention of a whole sequence, for training: queries in blocks, each of which sees its prefix alone, and weights that
// are computed again for the gradient. The products of what no query sees are left out, and the weights of all layers
// are never in memory at once (cf. Dao et al. 2022, FlashAttention, whose backward keeps the same).
import {
  fusedMatMul,
  keepWhere,
  later,
  type MaskFactors,
  maskFactors,
  maskFromFactors,
  type Tensor,
  tf,
} from '../../engine/index.js';
import { customGradient } from '../../nn/index.js';

/** How queries look at keys. */
export interface CausalAttentionOptions {
  /** Factor of the scores. Default 1/√D. */
  readonly scale?: number | undefined;
  /** How many positions a query sees, its own included. Default: all before it. */
  readonly window?: number | undefined;
  /** Scores are softcap · tanh(score / softcap) (Gemma Team 2024). Default: as they are. */
  readonly softcap?: number | undefined;
  /** Of each head, by how much a score falls with each position that a key is further away (ALiBi). Default: by nothing. */
  readonly slopes?: readonly number[] | undefined;
  /** Dropout of the weights. Default 0. */
  readonly dropout?: number;
  /** Which document each position is of, int32 [B,T]: positions see their own alone. Default: all are of one. */
  readonly documents?: Tensor | undefined;
  /** Queries of a block. Default: a quarter of the sequence, from 128 on. */
  readonly block?: number;
}

/** What is added to the scores of what a query must not see, as in Megatron. */
const HIDDEN = -10000;
/** The same where distance alone takes thousands off a score. */
const HIDDEN_FAR = -1e9;
const FEWEST_IN_BLOCK = 128;

/** The first positions of a block of queries, and of those after it. All keys before `end` may be seen. */
interface Block {
  readonly start: number;
  readonly end: number;
}

/** Axes: batch, groups of heads that share keys and values, heads of a group, positions, size of a head. */
type Axes = readonly [number, number, number, number, number];

/**
 * Positions look at themselves and at those before them.
 * @param query [B,N,T,D] @param key [B,G,T,D] @param value [B,G,T,D]; N/G neighbouring heads share keys and values
 * @returns [B,N,T,D]
 */
export function causalAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: CausalAttentionOptions = {},
): Tensor {
  const [batch, heads, length, size] = query.shape as [number, number, number, number];
  const groups = key.shape[1]!;
  const axes: Axes = [batch, groups, heads / groups, length, size];
  const blocks = queryBlocks(length, options.block);
  const { dropout = 0, documents } = options;
  const factors = dropout > 0 ? maskFactors(batch * heads * length, length) : undefined;
  const kept = [...(documents ? [documents] : []), ...(factors ? [factors.rows, factors.columns] : [])];
  return customGradient(
    [query, key, value],
    () => {
      const look = new BlockAttention(axes, options, documents);
      const parts = blocks.map((block) => look.output(query, key, value, block, factors));
      const output = parts.length === 1 ? parts[0] : tf.concat(parts, 3);
      return { value: tf.reshape(output, query.shape), saved: [query, key, value, output, ...kept] };
    },
    (dy, [query, key, value, output, ...rest]) => {
      const look = new BlockAttention(axes, options, documents ? rest[0] : undefined);
      const [rows, columns] = documents ? rest.slice(1) : rest;
      const saved = { query, key, value, output };
      return look.gradients(dy, saved, blocks, factors ? { rows, columns } : undefined);
    },
    { recomputes: true },
  );
}

/** @param chosen queries of a block */
function queryBlocks(length: number, chosen?: number): readonly Block[] {
  const width = chosen ?? Math.max(Math.ceil(length / 4), FEWEST_IN_BLOCK);
  return Array.from({ length: Math.ceil(length / width) }, (_, i) => ({
    start: i * width,
    end: Math.min((i + 1) * width, length),
  }));
}

interface Saved {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** [B,G,R,T,D] */
  readonly output: Tensor;
}

/** A block of queries over its prefix, and the gradient of that. */
class BlockAttention {
  private readonly scale: number;

  constructor(
    private readonly axes: Axes,
    private readonly options: CausalAttentionOptions,
    private readonly documents: Tensor | undefined,
  ) {
    this.scale = options.scale ?? 1 / Math.sqrt(axes[4]);
  }

  /** [B,G,R,t,D] of the queries of a block. */
  output(query: Tensor, key: Tensor, value: Tensor, block: Block, factors?: MaskFactors): Tensor {
    const { weights } = this.weights(query, key, block);
    const dropped = this.drop(weights, block, factors);
    const y = tf.matMul(this.byGroup(dropped), this.prefix(value, block));
    return tf.reshape(y, this.blockShape(block, this.axes[4]));
  }

  /** Gradients of queries, keys and values. */
  gradients(dy: Tensor, saved: Saved, blocks: readonly Block[], factors?: MaskFactors): Tensor[] {
    const { output } = saved;
    const [batch, groups, repeats, length, size] = this.axes;
    const dOutput = tf.reshape(dy, output.shape);
    // Σ p·dp over the keys, of which the output already is the sum over p.
    const along = tf.sum(tf.mul(dOutput, output), -1, true);
    const dQueries: Tensor[] = [];
    let dKey: Tensor | undefined;
    let dValue: Tensor | undefined;
    for (const block of [...blocks].reverse()) {
      // A block begins when the gradients of the one before are known, whose weights are then in memory no more.
      const turn = dKey && dValue ? [dQueries[0], dKey, dValue] : [along];
      const [query, key, value] = [saved.query, saved.key, saved.value].map((x) => later(x, turn));
      const { weights, slope } = this.weights(query, key, block);
      const own = this.byGroup(this.slice(dOutput, block, size));
      const dropped = this.drop(weights, block, factors);
      const dWeights = this.byHead(fusedMatMul(own, this.prefix(value, block), { transposeB: true }), block);
      const dDropped = this.drop(dWeights, block, factors);
      const dScores = tf.mul(weights, tf.sub(dDropped, this.slice(along, block, 1)));
      const dProducts = this.byGroup(slope ? tf.mul(dScores, slope) : dScores);
      const { scale: alpha } = this;
      const dQuery = fusedMatMul(dProducts, this.prefix(key, block), { alpha });
      dQueries.unshift(tf.reshape(dQuery, this.blockShape(block, size)));
      const queries = this.byGroup(this.slice(this.grouped(query), block, size));
      const late = length - block.end;
      dKey = plusPrefix(dKey, fusedMatMul(dProducts, queries, { transposeA: true, alpha }), late);
      dValue = plusPrefix(dValue, fusedMatMul(this.byGroup(dropped), own, { transposeA: true }), late);
    }
    const dQuery = dQueries.length === 1 ? dQueries[0] : tf.concat(dQueries, 3);
    const others = [dKey, dValue] as [Tensor, Tensor];
    return [later(tf.reshape(dQuery, [batch, groups * repeats, length, size]), others), ...others];
  }

  /** Softmax over the prefix [B,G,R,t,K], and the derivative of the softcap. */
  private weights(query: Tensor, key: Tensor, block: Block): { weights: Tensor; slope?: Tensor } {
    const { softcap } = this.options;
    const queries = this.byGroup(this.slice(this.grouped(query), block, this.axes[4]));
    const product = fusedMatMul(queries, this.prefix(key, block), { transposeB: true, alpha: this.scale });
    const scores = this.byHead(product, block);
    if (!softcap) return { weights: this.softmax(scores, block) };
    const bent = tf.tanh(tf.mul(scores, tf.scalar(1 / softcap)));
    const weights = this.softmax(tf.mul(bent, tf.scalar(softcap)), block);
    return { weights, slope: tf.sub(tf.scalar(1), tf.square(bent)) };
  }

  /** Weights of scores [B,G,R,t,K], of which what lies far or is hidden gets less or nothing. */
  private softmax(scores: Tensor, block: Block): Tensor {
    const seen = tf.add(scores, this.hidden(block));
    const { slopes } = this.options;
    return tf.softmax(slopes ? tf.add(seen, this.nearness(slopes, block)) : seen);
  }

  /**
   * [1,G,R,1,K]: less for each position before the block's end. A softmax does not see that its queries stand before that, and numbers
   * of near keys are small, so that adding them rounds little.
   */
  private nearness(slopes: readonly number[], { end }: Block): Tensor {
    const [, groups, repeats] = this.axes;
    const distance = tf.reshape(tf.range(1 - end, 1, 1, 'float32'), [1, 1, 1, 1, end]);
    return tf.mul(distance, tf.tensor([...slopes], [1, groups, repeats, 1, 1], 'float32'));
  }

  /** [1 or B,1,1,t,K] of 0 and what hides. */
  private hidden(block: Block): Tensor {
    const { documents } = this;
    const { window, slopes } = this.options;
    const least = slopes ? HIDDEN_FAR : HIDDEN;
    const count = block.end - block.start;
    const rows = tf.reshape(tf.range(block.start, block.end, 1, 'int32'), [count, 1]);
    const columns = tf.reshape(tf.range(0, block.end, 1, 'int32'), [1, block.end]);
    let seen: Tensor = tf.lessEqual(columns, rows);
    if (window) seen = tf.logicalAnd(seen, tf.greater(columns, tf.sub(rows, tf.scalar(window, 'int32'))));
    if (documents) {
      const batch = documents.shape[0];
      const own = tf.reshape(tf.slice(documents, [0, block.start], [batch, count]), [batch, count, 1]);
      const others = tf.reshape(tf.slice(documents, [0, 0], [batch, block.end]), [batch, 1, block.end]);
      seen = tf.logicalAnd(tf.reshape(seen, [1, count, block.end]), tf.equal(own, others));
    }
    const mask = tf.mul(tf.sub(tf.cast(seen, 'float32'), tf.scalar(1)), tf.scalar(-least));
    return tf.reshape(mask, [documents?.shape[0] ?? 1, 1, 1, count, block.end]);
  }

  /** x [B,G,R,t,K] with the dropout of the block's weights; the same bits each time. */
  private drop(x: Tensor, { start, end }: Block, factors?: MaskFactors): Tensor {
    if (!factors) return x;
    const [batch, groups, repeats, length] = this.axes;
    const count = end - start;
    const all = tf.reshape(factors.rows, [batch * groups * repeats, length]);
    const rows = tf.slice(all, [0, start], [batch * groups * repeats, count]);
    const columns = tf.slice(factors.columns, [0, 0], [1, end]);
    const kept = 1 - (this.options.dropout ?? 0);
    const mask = maskFromFactors({ rows: tf.reshape(rows, [-1, 1]), columns }, kept);
    return keepWhere(tf.reshape(mask, x.shape), x, 1 / kept);
  }

  /** [B,N,T,D] → [B,G,R,T,D]. */
  private grouped(x: Tensor): Tensor {
    return tf.reshape(x, [...this.axes]);
  }

  /** The block of x [B,G,R,T,C]. */
  private slice(x: Tensor, block: Block, width: number): Tensor {
    const whole = block.start === 0 && block.end === this.axes[3];
    return whole ? x : tf.slice(x, [0, 0, 0, block.start, 0], this.blockShape(block, width));
  }

  /** The keys or values that a block sees: x [B,G,T,D] → [B,G,K,D]. */
  private prefix(x: Tensor, { end }: Block): Tensor {
    const [batch, groups, , length, size] = this.axes;
    return end === length ? x : tf.slice(x, [0, 0, 0, 0], [batch, groups, end, size]);
  }

  private blockShape({ start, end }: Block, width: number): number[] {
    const [batch, groups, repeats] = this.axes;
    return [batch, groups, repeats, end - start, width];
  }

  /** [B,G,R,t,C] → [B,G,R·t,C]: the heads of a group are rows of one product. */
  private byGroup(x: Tensor): Tensor {
    const [batch, groups, repeats, count, width] = x.shape as [number, number, number, number, number];
    return tf.reshape(x, [batch, groups, repeats * count, width]);
  }

  /** [B,G,R·t,K] → [B,G,R,t,K]. */
  private byHead(x: Tensor, block: Block): Tensor {
    return tf.reshape(x, this.blockShape(block, x.shape[3]!));
  }
}

/** sum [B,G,T,D] with `part` of its first positions added; `late` positions come after those. */
function plusPrefix(sum: Tensor | undefined, part: Tensor, late: number): Tensor {
  const whole = late === 0 ? part : tf.pad(part, [[0, 0], [0, 0], [0, late], [0, 0]]); // biome-ignore format: one line reads better
  return sum ? tf.add(sum, whole) : whole;
}
