// Attention of many queries, for training: in blocks of queries, each of which looks at all keys, and with weights that are
// computed again for the gradient. Neither the weights of all layers are in memory at once nor those of all queries (cf. Dao et
// al. 2022, FlashAttention, whose backward keeps the same).
import {
  keepWhere,
  later,
  maskFactors,
  maskFromFactors,
  ordersByDependence,
  type Tensor,
  tf,
} from '../../engine/index.js';
import type { Pass } from '../pass.js';
import { customGradient } from './custom-gradient.js';
import { relativeShift, relativeUnshift } from './relative-shift.js';

/** Scores are (q+u)·k + (q+v)·offset, the offset being that of the distance (Transformer-XL). */
interface RelativeScores {
  /** [h·dk] */
  readonly biasU: Tensor;
  /** [h·dk] */
  readonly biasV: Tensor;
  /** Projected encodings of the distances K-1 down to -(T-1), [1,h,T+K-1,dk]; the queries are the last of the keys. */
  readonly offsets: Tensor;
}

/** Who looks at what. */
export interface QueriesAndKeys extends Partial<RelativeScores> {
  /** As their projection gives them, [B,T,h·dk]. */
  readonly queries: Tensor;
  /** [B,h,K,dk] */
  readonly keys: Tensor;
  /** [B,h,K,dk] */
  readonly values: Tensor;
  /** Added to the scores, without a gradient: [B or 1,1,T or 1,K]. */
  readonly bias: Tensor;
  /** 0 for queries that get zeros, 1 for others, [B,T,1]. Default: none gets zeros. */
  readonly seeing?: Tensor;
}

/** How they look. */
export interface QueryBlocksOptions {
  /** Factor of the queries. */
  readonly scale: number;
  /** Dropout of the weights, below 1. Default 0. */
  readonly dropout?: number | undefined;
  /** Queries of a block. Default: a quarter of them, at least 128. */
  readonly width?: number | undefined;
}

/** From how many bytes on the weights of all queries are too many. */
const LARGE_WEIGHTS = 2 ** 24;
const FEWEST_IN_BLOCK = 128;
const MOST_BLOCKS = 4;

/**
 * Whether queries [B,T,h·dk] look at keys [B,h,K,dk] in blocks: in training, where the engine orders by dependence, and where
 * there are two blocks at least of weights that are large. It follows from the sizes alone, so that what is computed again
 * for the gradient comes out with the same bits.
 */
export function looksInBlocks(queries: Tensor, keys: Tensor, dropout: number, pass: Pass): boolean {
  if (!pass.training || !ordersByDependence() || dropout >= 1) return false;
  const [batch, heads, seen] = keys.shape as [number, number, number, number];
  const count = queries.shape[1]!;
  return count >= 2 * FEWEST_IN_BLOCK && 4 * batch * heads * count * seen >= LARGE_WEIGHTS;
}

/**
 * What queries see, all heads side by side: the numbers of attention in one piece up to the order of sums. Dropout draws the same
 * bits.
 * @returns [B,T,h·dk]
 */
export function attendInBlocks(input: QueriesAndKeys, options: QueryBlocksOptions): Tensor {
  const { queries, keys, values, biasU, biasV, offsets, bias, seeing } = input;
  const [batch, heads, seen] = keys.shape as [number, number, number, number];
  const count = queries.shape[1]!;
  const factors = options.dropout ? maskFactors(batch * heads * count, seen) : undefined;
  const differentiated = { queries, keys, values, ...(offsets ? { biasU, biasV, offsets } : {}) };
  const inputs = { ...differentiated, bias, ...(seeing ? { seeing } : {}), ...factors } as Inputs;
  const names = Object.keys(inputs);
  const look = new BlockLook(options);
  const blocks = queryBlocks(count, options.width);
  return customGradient(
    Object.values(differentiated) as Tensor[],
    () => {
      // Parts of the bias are cut out of it for each layer, and again for the gradient: they need not be kept for others.
      const lateInputs = { ...inputs, bias: later(bias, [queries]) };
      const output = tf.concat(blocks.map((block) => look.output(lateInputs, block)), 1); // biome-ignore format: one line reads better
      return { value: output, saved: [...Object.values(inputs), output] };
    },
    (dy, saved) => {
      const lateTensors = saved.map((tensor) => later(tensor, [dy]));
      const grads = look.gradients(named(names, lateTensors), dy, saved.at(-1)!, blocks);
      return Object.keys(differentiated).map((name) => grads[name as keyof Gradients] as Tensor);
    },
  );
}

/** With the factors of the dropout mask. */
interface Inputs extends QueriesAndKeys {
  /** int32 [B·h·T,1] */
  readonly rows?: Tensor;
  /** int32 [1,K] */
  readonly columns?: Tensor;
}

/** Of what is differentiated; in a block those of the block's queries, and its summands of the others. */
type Gradients = Pick<QueriesAndKeys, 'queries' | 'keys' | 'values'> & Partial<RelativeScores>;

/** Queries from `start` on. */
interface Block {
  readonly start: number;
  readonly count: number;
}

function queryBlocks(queries: number, width?: number): readonly Block[] {
  const most = Math.max(1, Math.min(MOST_BLOCKS, Math.floor(queries / FEWEST_IN_BLOCK)));
  const size = width ?? Math.ceil(queries / most);
  return Array.from({ length: Math.ceil(queries / size) }, (_, i) => ({
    start: i * size,
    count: Math.min(size, queries - i * size),
  }));
}

/** A block of queries over all keys, and the gradients of that. */
class BlockLook {
  constructor(private readonly options: QueryBlocksOptions) {}

  /** [B,n,h·dk] of n queries. */
  output(inputs: Inputs, block: Block): Tensor {
    const { weights } = this.weights(inputs, block);
    const context = merged(tf.matMul(this.drop(weights, inputs, block), inputs.values));
    return inputs.seeing ? tf.mul(context, ofBlock(inputs.seeing, block)) : context;
  }

  /** @param output [B,T,h·dk], all that `output` gave */
  gradients(inputs: Inputs, dy: Tensor, output: Tensor, blocks: readonly Block[]): Gradients {
    const { seeing } = inputs;
    const heads = inputs.keys.shape[1]!;
    const [batch, count] = dy.shape as [number, number, number];
    // Σ p·dp over the keys, of which the output already is the sum over p.
    const along = tf.sum(tf.reshape(tf.mul(dy, output), [batch, count, heads, -1]), -1, true);
    const dOutput = seeing ? tf.mul(dy, seeing) : dy;
    const ofQueries: Tensor[] = [];
    let sums: Sums | undefined;
    for (const block of blocks) {
      // A block begins when the gradients of the one before are known, whose weights are then in memory no more; the first when
      // the output is, which may have to be computed again.
      const turn = sums ? [ofQueries.at(-1) as Tensor, ...Object.values(sums)] : [along];
      const lateInputs = named(Object.keys(inputs), Object.values(inputs).map((tensor) => later(tensor, turn))); // biome-ignore format: one line reads better
      const dBlock = split(ofBlock(dOutput, block), heads);
      const alongBlock = tf.transpose(ofBlock(along, block), [0, 2, 1, 3]);
      const { queries, ...rest } = this.blockGradients(lateInputs, block, dBlock, alongBlock);
      ofQueries.push(queries);
      sums = sums ? added(sums, rest) : rest;
    }
    const others = sums as Sums;
    // That of the queries, on which layers before wait, comes last: nothing of the last block is kept for the others.
    return { ...others, queries: later(tf.concat(ofQueries, 1), Object.values(others)) };
  }

  /** dOutput [B,h,n,dk], along [B,h,n,1]. */
  private blockGradients(inputs: Inputs, block: Block, dOutput: Tensor, along: Tensor): Gradients {
    const { keys, values, offsets } = inputs;
    const { weights, forKeys, forOffsets } = this.weights(inputs, block);
    const dValues = tf.matMul(this.drop(weights, inputs, block), dOutput, true);
    const dWeights = this.drop(tf.matMul(dOutput, values, false, true), inputs, block);
    const dScores = tf.mul(weights, tf.sub(dWeights, along));
    const scale = tf.scalar(this.options.scale);
    const dKeys = tf.matMul(dScores, forKeys, true);
    const dForKeys = tf.mul(merged(tf.matMul(dScores, keys)), scale);
    if (!offsets) return { queries: dForKeys, keys: dKeys, values: dValues };
    const dDistances = relativeUnshift(dScores);
    const dForOffsets = tf.mul(merged(tf.matMul(dDistances, offsetsOf(offsets, block, inputs))), scale);
    const dOffsets = tf.sum(tf.matMul(dDistances, forOffsets as Tensor, true), 0, true);
    return {
      queries: tf.add(dForKeys, dForOffsets),
      keys: dKeys,
      values: dValues,
      biasU: tf.sum(dForKeys, [0, 1]),
      biasV: tf.sum(dForOffsets, [0, 1]),
      offsets: amongAll(dOffsets, block, offsets, inputs),
    };
  }

  /** Softmax over the keys [B,h,n,K], and the queries [B,h,n,dk] that it is of. */
  private weights(inputs: Inputs, block: Block): { weights: Tensor; forKeys: Tensor; forOffsets?: Tensor } {
    const { keys, bias, biasU, biasV, offsets } = inputs;
    const queries = ofBlock(inputs.queries, block);
    const heads = keys.shape[1]!;
    const scale = tf.scalar(this.options.scale);
    const biased = (x: Tensor | undefined): Tensor =>
      split(tf.mul(x ? tf.add(queries, x) : queries, scale), heads);
    const forKeys = biased(biasU);
    const content = tf.matMul(forKeys, keys, false, true);
    const seen = bias.shape[2] === 1 ? bias : ofBlock(bias, block, 2);
    if (!offsets) return { weights: tf.softmax(tf.add(content, seen)), forKeys };
    const forOffsets = biased(biasV);
    const distances = tf.matMul(forOffsets, offsetsOf(offsets, block, inputs), false, true);
    const scores = tf.add(content, relativeShift(distances));
    return { weights: tf.softmax(tf.add(scores, seen)), forKeys, forOffsets };
  }

  /** x [B,h,n,K] with the dropout of the block's weights; the same bits each time. */
  private drop(x: Tensor, { queries, rows, columns }: Inputs, { start, count }: Block): Tensor {
    if (!rows || !columns) return x;
    const items = x.shape[0] * x.shape[1]!;
    const ofItems = tf.reshape(rows, [items, queries.shape[1]!]);
    const ownRows = tf.reshape(tf.slice(ofItems, [0, start], [items, count]), [items * count, 1]);
    const kept = 1 - (this.options.dropout ?? 0);
    const mask = maskFromFactors({ rows: ownRows, columns }, kept);
    return keepWhere(tf.reshape(mask, x.shape), x, 1 / kept);
  }
}

function named(names: readonly string[], tensors: readonly Tensor[]): Inputs {
  return Object.fromEntries(names.map((name, i) => [name, tensors[i]])) as unknown as Inputs;
}

/** Places of x along `axis` that are the block's. */
function ofBlock(x: Tensor, { start, count }: Block, axis = 1): Tensor {
  const at = (whole: (size: number) => number, own: number): number[] =>
    x.shape.map((size, i) => (i === axis ? own : whole(size)));
  return tf.slice(
    x,
    at(() => 0, start),
    at((size) => size, count),
  );
}

/** The block's n+K-1 distances of offsets [1,h,T+K-1,dk]. Its last query is the one that distances begin with. */
function offsetsOf(offsets: Tensor, block: Block, inputs: Inputs): Tensor {
  return ofBlock(offsets, distancesOf(block, inputs), 2);
}

/** x [1,h,n+K-1,dk] among zeros for the other distances. */
function amongAll(x: Tensor, block: Block, offsets: Tensor, inputs: Inputs): Tensor {
  const { start, count } = distancesOf(block, inputs);
  const behind = offsets.shape[2]! - start - count;
  return tf.pad(x, [[0, 0], [0, 0], [start, behind], [0, 0]]); // biome-ignore format: one line reads better
}

function distancesOf({ start, count }: Block, { queries, keys }: Inputs): Block {
  return { start: queries.shape[1]! - count - start, count: count + keys.shape[2]! - 1 };
}

/** [B,n,h·dk] → [B,h,n,dk]. */
function split(x: Tensor, heads: number): Tensor {
  const [batch, count, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, count, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B,h,n,dk] → [B,n,h·dk]. */
function merged(x: Tensor): Tensor {
  const [batch, heads, count, width] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, count, heads * width]);
}

type Sums = Omit<Gradients, 'queries'>;

function added(sums: Sums, parts: Sums): Sums {
  const entries = Object.entries(parts).map(([name, part]) => [name, tf.add(sums[name as keyof Sums] as Tensor, part)]); // biome-ignore format: one line reads better
  return Object.fromEntries(entries) as Sums;
}
