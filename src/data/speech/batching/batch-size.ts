// How many utterances a batch of a bucket holds: a fixed number, a list, or as many as fit a duration.
/** The keys of a data section that say how many utterances make a batch; one of them must. */
export interface BatchSizeConfig {
  /** Utterances a batch. Required unless `batch_duration` or a list is given. */
  readonly batch_size?: number | null;
  /** Seconds of (padded) audio a batch: short utterances make larger batches. Overrides `batch_size`. */
  readonly batch_duration?: number | null;
  /** Seconds; makes long utterances count more: d + d²/quadratic_duration (Lhotse's rule). */
  readonly quadratic_duration?: number | null;
  /** Bound of what `batch_duration` may give. */
  readonly max_batch_size?: number | null;
  /** Utterances a batch, one number a bucket from short to long. Overrides both. */
  readonly bucket_batch_size?: readonly number[] | null;
  /** NeMo's: a list as `bucket_batch_size`, or n meaning n·(buckets − i) for bucket i. */
  readonly bucketing_batch_size?: number | readonly number[] | null;
}

/**
 * Batch size of each bucket.
 * @param seconds upper bound of each bucket, ascending
 */
export function bucketBatchSizes(config: BatchSizeConfig, seconds: readonly number[]): number[] {
  const list = config.bucket_batch_size ?? config.bucketing_batch_size;
  // Where there are more buckets than numbers, the longest utterances get the last number, the smallest.
  if (list && typeof list === 'object') return seconds.map((_, i) => list[Math.min(i, list.length - 1)]);
  if (typeof list === 'number') return seconds.map((_, i) => list * (seconds.length - i));
  const budget = config.batch_duration;
  if (!budget) return seconds.map(() => config.batch_size ?? 1);
  const cap = config.max_batch_size ?? Number.POSITIVE_INFINITY;
  return seconds.map((upper) => {
    const cost = config.quadratic_duration ? upper + upper ** 2 / config.quadratic_duration : upper;
    return Math.max(1, Math.min(cap, Math.floor(budget / cost)));
  });
}
