// Megatron's indices of a GPT's samples: in which order documents lie, where in this row of documents samples begin, and in
// which order samples come. Those of NeMo 1.23, number for number, which draws them by NumPy.
import { MersenneTwister } from '../../random/index.js';

/** What a split of documents is cut into. */
export interface GptIndex {
  /** Documents in their order, those of all epochs. */
  readonly documents: Int32Array;
  /** For each sample, and one more: the place in `documents`, and the token in that document. [samples + 1, 2] */
  readonly samples: Int32Array;
  /** Numbers of samples in the order in which they are given out. */
  readonly shuffle: Uint32Array;
}

/** What an index depends on. */
export interface GptIndexOptions {
  /** Tokens of each document. */
  readonly sizes: ArrayLike<number>;
  /** Samples that are wanted. */
  readonly samples: number;
  /** Tokens of a sample; it has one more, for the last target. */
  readonly length: number;
  readonly seed: number;
  /** Documents and samples are shuffled. Default true. */
  readonly shuffles?: boolean;
  /** The rest that fills no sample is left out. Default true; otherwise the last sample is short. */
  readonly dropsLast?: boolean;
}

/** A last epoch of which less is used than this share is shuffled by itself, so that no part of it comes early. */
const SEPARATE_BELOW = 0.8;

/** The order of documents, samples and their shuffling, as NeMo draws it for a GPT. */
export function gptIndex(options: GptIndexOptions): GptIndex {
  const { sizes, samples, length, seed, shuffles = true, dropsLast = true } = options;
  let total = 0;
  for (let i = 0; i < sizes.length; i++) total += sizes[i];
  let epochs = 1;
  if (total > 0) while (Math.floor((epochs * total - 1) / length) < samples && dropsLast) epochs++;
  const before = Math.floor(((epochs - 1) * total - 1) / length);
  const perEpoch = Math.floor((total - 1) / length);
  const isSeparate = epochs > 1 && samples - before < Math.trunc(SEPARATE_BELOW * perEpoch);
  const random = new MersenneTwister(seed);
  const documents = documentOrder(sizes.length, epochs, isSeparate, shuffles ? random : undefined);
  const count = dropsLast
    ? Math.floor((epochs * total - 1) / length)
    : Math.ceil((epochs * total - 1) / length);
  const starts = sampleStarts(sizes, documents, Math.max(0, count), length);
  const shuffle = sampleOrder(isSeparate ? before : count, Math.max(0, count), shuffles ? random : undefined);
  return { documents, samples: starts, shuffle };
}

function documentOrder(
  count: number,
  epochs: number,
  isSeparate: boolean,
  random?: MersenneTwister,
): Int32Array {
  const order = Int32Array.from({ length: epochs * count }, (_, i) => i % count);
  const first = isSeparate ? (epochs - 1) * count : order.length;
  random?.shuffle(order.subarray(0, first));
  if (isSeparate) random?.shuffle(order.subarray(first));
  return order;
}

/** Samples overlap by one token: the last target of one is the first input of the next. */
function sampleStarts(
  sizes: ArrayLike<number>,
  documents: Int32Array,
  count: number,
  length: number,
): Int32Array {
  const starts = new Int32Array(2 * (count + 1));
  let [place, offset] = [0, 0];
  for (let sample = 1; sample <= count; sample++) {
    let remaining = length + 1;
    while (remaining > 0 && place < documents.length) {
      const left = sizes[documents[place]] - offset;
      remaining -= left;
      if (remaining <= 0) offset += remaining + left - 1;
      else {
        // The last document is short where the rest is not left out.
        if (place + 1 === documents.length) {
          offset = Math.max(0, sizes[documents[place]] - 1);
          break;
        }
        place++;
        offset = 0;
      }
    }
    starts[2 * sample] = place;
    starts[2 * sample + 1] = offset;
  }
  return starts;
}

function sampleOrder(first: number, count: number, random?: MersenneTwister): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  random?.shuffle(order.subarray(0, first));
  random?.shuffle(order.subarray(first));
  return order;
}

/**
 * Where splits of `splits_string` begin and end among `count` documents. [4]
 * @param shares of training, validation and test
 */
export function splitBounds(shares: readonly number[], count: number): number[] {
  const total = shares.reduce((a, b) => a + b, 0);
  const bounds = [0];
  for (const share of shares) bounds.push(bounds[bounds.length - 1] + roundHalfEven((share / total) * count));
  const excess = bounds[bounds.length - 1] - count;
  return bounds.map((bound, i) => (i === 0 ? bound : bound - excess));
}

/** Python's round. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const half = value - floor;
  if (half !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Which set gives each sample of a blend, and which of its samples. */
export interface BlendIndex {
  readonly sets: Uint8Array;
  readonly samples: Int32Array;
}

/**
 * Each sample comes from the set that is furthest behind its weight.
 * @param weights of at most 256 sets
 */
export function blendIndex(weights: readonly number[], count: number): BlendIndex {
  const total = weights.reduce((a, b) => a + b, 0);
  const shares = weights.map((weight) => weight / total);
  const taken = shares.map(() => 0);
  const sets = new Uint8Array(count);
  const samples = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    let most = 0;
    let mostBehind = Number.NEGATIVE_INFINITY;
    for (let set = 0; set < shares.length; set++) {
      const behind = shares[set] * Math.max(i, 1) - taken[set];
      if (behind > mostBehind) [most, mostBehind] = [set, behind];
    }
    sets[i] = most;
    samples[i] = taken[most]++;
  }
  return { sets, samples };
}

/** Samples that each set of a blend is asked for: some more than its share, as Megatron does. */
export function blendCounts(weights: readonly number[], count: number): number[] {
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => Math.ceil((count * weight * 1.005) / total));
}
