// Plans of epochs.
import { CounterRandom } from '../../../random/index.js';
import { type BatchSizeConfig, bucketBatchSizes } from './batch-size.js';
import {
  optimalRungs,
  roundUp,
  roundUpToRung,
  rungsFromBounds,
  TOKEN_MULTIPLE,
  tokenRungs,
} from './rungs.js';

/** The keys of a data section that say how utterances are put together. */
export interface BatchingConfig extends BatchSizeConfig {
  /** A new order each epoch. */
  readonly shuffle: boolean;
  /** Leave out the epoch's last batch when it is not full. */
  readonly drop_last?: boolean;
  /** Length buckets. Default 12, fewer for small data sets; 1 mixes all lengths. */
  readonly num_buckets?: number | null;
  /** Seconds: upper bounds of the buckets, instead of estimated ones. */
  readonly bucket_duration_bins?: readonly number[] | null;
  /** `fixed_order` goes from short to long; the others mix the buckets' batches. */
  readonly bucketing_strategy?: 'synced_randomized' | 'fully_randomized' | 'fixed_order' | null;
}

/** What a planner knows of the utterances; arrays run parallel. */
export interface PlannedSet {
  /** Seconds, as the manifest says. */
  readonly seconds: ArrayLike<number>;
  /** Tokens of each transcript. */
  readonly tokens: ArrayLike<number>;
  /** Frames of so many seconds. */
  frames(seconds: number): number;
  /** Seconds that one frame stands for. */
  readonly frameSeconds: number;
  /** Frames after the front end's own padding (`pad_to`). Absent: none. */
  padFrames?(frames: number): number;
  /** By how much augmentation will stretch utterance `index` in this epoch. Absent: not at all. */
  readonly stretch?: ((epoch: number, index: number) => number) | undefined;
}

/** One batch of a plan: utterances by their index in the data set, and what they are padded to. */
export interface PlannedBatch {
  readonly indices: Int32Array;
  /** Padded frames. */
  readonly frames: number;
  /** Padded tokens, at least 1. */
  readonly tokens: number;
}

interface Cut {
  readonly full: readonly Int32Array[];
  /** The batch that is not full, if there is one. */
  readonly rest: readonly Int32Array[];
}

/** Halves the padding of 6 buckets; more gain little and each is a compilation. */
const DEFAULT_BUCKETS = 12;

/** Durations in manifests are rounded, and resampling rounds again: this many frames of slack. */
const SLACK_FRAMES = 2;

/**
 * Cuts a data set into batches: which utterances together, padded to what. A plan is a pure function of the data
 * set, the configuration, the seed and the epoch, so that a run can be resumed anywhere.
 */
export class BatchPlanner {
  /** Padded frame counts, ascending; one a bucket. */
  readonly rungs: readonly number[];
  private readonly sizes: readonly number[];
  private readonly tokenRungs: readonly (readonly number[])[];

  constructor(
    private readonly set: PlannedSet,
    private readonly config: BatchingConfig,
    private readonly seed: number,
  ) {
    const lengths = this.frameLengths(0);
    const longest = lengths.reduce((max, n) => Math.max(max, n), 0);
    const bins = config.bucket_duration_bins;
    const rungs = bins
      ? rungsFromBounds(
          bins.map((s) => set.frames(s) + SLACK_FRAMES),
          longest,
        )
      : optimalRungs(lengths, this.rungCount());
    this.rungs = [...new Set(rungs.map((rung) => this.padFrames(rung)))];
    this.sizes = bucketBatchSizes(
      config,
      this.rungs.map((frames) => frames * set.frameSeconds),
    );
    const buckets: number[][] = this.rungs.map(() => []);
    for (let i = 0; i < lengths.length; i++) buckets[this.bucketOf(lengths[i])].push(set.tokens[i]);
    this.tokenRungs = buckets.map(tokenRungs);
  }

  /** Whether utterances are sorted into buckets by length. */
  get bucketing(): boolean {
    return this.config.num_buckets !== 1;
  }

  /** The epoch's batches in order. */
  plan(epoch: number): PlannedBatch[] {
    const { shuffle, drop_last, bucketing_strategy } = this.config;
    const lengths = this.frameLengths(shuffle ? epoch : 0);
    const random = new CounterRandom(this.seed).derive('batches', shuffle ? epoch : 0);
    const count = lengths.length;
    const order = shuffle
      ? random.derive('utterances').permutation(count)
      : Int32Array.from({ length: count }, (_, i) => i);
    const { full, rest } = this.bucketing ? this.cutBuckets(order, lengths) : this.cutInOrder(order);
    const batches = drop_last ? full : [...full, ...rest];
    const plannedBatches = batches.map((indices) => this.pad(indices, lengths));
    // The batches of a set in a fixed order are mixed too: the first few, which a limit may leave alone, then stand for
    // all.
    if (!this.bucketing || bucketing_strategy === 'fixed_order') return plannedBatches;
    return Array.from(random.derive('order').permutation(plannedBatches.length), (i) => plannedBatches[i]);
  }

  private padFrames(frames: number): number {
    return this.set.padFrames ? this.set.padFrames(frames) : frames;
  }

  private rungCount(): number {
    const { num_buckets, batch_size, batch_duration } = this.config;
    if (num_buckets === 1) return DEFAULT_BUCKETS; // batches of mixed lengths still round up to few lengths
    if (num_buckets != null) return num_buckets;
    const count = this.set.seconds.length;
    let seconds = 0;
    for (let i = 0; i < count; i++) seconds += this.set.seconds[i];
    const batches = batch_duration ? seconds / batch_duration : count / (batch_size ?? 1);
    // A bucket should fill two batches, else most of its utterances would wait for others.
    return Math.max(1, Math.min(DEFAULT_BUCKETS, Math.floor(batches / 2)));
  }

  private frameLengths(epoch: number): Int32Array {
    const { seconds, stretch } = this.set;
    return Int32Array.from({ length: seconds.length }, (_, i) => {
      const factor = stretch ? stretch.call(this.set, epoch, i) : 1;
      return this.set.frames(seconds[i] * factor) + SLACK_FRAMES;
    });
  }

  private bucketOf(frames: number): number {
    const bucket = this.rungs.findIndex((rung) => rung >= frames);
    return bucket === -1 ? this.rungs.length - 1 : bucket;
  }

  /**
   * Full batches of each bucket; what is left over moves on to the next longer bucket, so that what is not
   * full at the end of an epoch is one batch.
   */
  private cutBuckets(order: Int32Array, lengths: Int32Array): Cut {
    const buckets: number[][] = this.rungs.map(() => []);
    for (const index of order) buckets[this.bucketOf(lengths[index])].push(index);
    const fullBatches: Int32Array[] = [];
    let left: number[] = [];
    buckets.forEach((bucket, b) => {
      const waitingIndices = Int32Array.from([...left, ...bucket]);
      const cut = chunks(waitingIndices, this.sizes[b]);
      fullBatches.push(...cut.full);
      left = cut.rest.flatMap((rest) => [...rest]);
    });
    return { full: fullBatches, rest: left.length > 0 ? [Int32Array.from(left)] : [] };
  }

  /** Batches in the given order, lengths mixed; under a duration budget as if all were the longest. */
  private cutInOrder(order: Int32Array): Cut {
    return chunks(order, this.sizes[this.sizes.length - 1] ?? 1);
  }

  private pad(indices: Int32Array, lengths: Int32Array): PlannedBatch {
    let frames = 0;
    let tokens = 1;
    for (const i of indices) {
      frames = Math.max(frames, lengths[i]);
      tokens = Math.max(tokens, this.set.tokens[i]);
    }
    const padded = this.padFrames(roundUpToRung(frames, this.rungs));
    // A short utterance with a long transcript lands in any bucket of shorter transcripts, so the rungs of all are
    // looked at.
    const bucket = this.bucketOf(frames);
    const widths = this.tokenRungs.slice(0, bucket + 1).flat();
    const knownWidth = (this.tokenRungs[bucket] ?? []).find((w) => w >= tokens);
    const otherWidth = widths.filter((w) => w >= tokens).sort((a, b) => a - b)[0];
    return { indices, frames: padded, tokens: knownWidth ?? otherWidth ?? roundUp(tokens, TOKEN_MULTIPLE) };
  }
}

function chunks(items: Int32Array, size: number): Cut {
  const fullBatches: Int32Array[] = [];
  let at = 0;
  for (; at + size <= items.length; at += size) fullBatches.push(items.slice(at, at + size));
  return { full: fullBatches, rest: at < items.length ? [items.slice(at)] : [] };
}
