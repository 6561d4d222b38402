// The batches of one epoch from a position on, with a count of what may still be taken. Of several ranks each makes its own.
import type { Batch, BatchSource } from '../../model/index.js';
import { batchesOf } from './rank-batches.js';
import { Ranks } from './ranks.js';

/** What a step takes. */
export interface StepBatches {
  /** Those of this rank. */
  readonly batches: readonly Batch[];
  /** Place of the first of them among those of all ranks. */
  readonly offset: number;
  /** Batches of all ranks; none at the end of the epoch. */
  readonly count: number;
}

export class BatchStream {
  private readonly iterator: AsyncIterator<Batch>;

  /**
   * @param left batches of all ranks that may be taken
   * @param perStep batches of all ranks that a step takes
   */
  constructor(
    source: BatchSource,
    readonly epoch: number,
    from: number,
    private left: number,
    readonly perStep: number,
    private readonly ranks = new Ranks(),
  ) {
    const batches = ranks.areSeveral
      ? batchesOf(source, epoch, ownNumbers(ranks, from, from + left, perStep))
      : source.epoch(epoch, from);
    this.iterator = batches[Symbol.asyncIterator]();
  }

  /** The batches of a step. */
  async take(): Promise<StepBatches> {
    const planned = Math.min(this.perStep, this.left);
    const share = this.ranks.share(planned);
    const batches: Batch[] = [];
    while (batches.length < share.end - share.start) {
      const { done, value } = await this.iterator.next();
      if (done) break;
      batches.push(value);
    }
    this.left -= planned;
    // A source that is alone may have fewer than it said; the epoch ends there.
    const count = this.ranks.areSeveral ? planned : batches.length;
    if (count < planned) this.left = 0;
    return { batches, offset: share.start, count };
  }

  /** Frees what was prefetched. */
  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}

/** Numbers of the rank's batches, step by step. */
function ownNumbers(ranks: Ranks, from: number, end: number, perStep: number): number[] {
  const numbers: number[] = [];
  for (let first = from; first < end; first += perStep) {
    const share = ranks.share(Math.min(perStep, end - first));
    for (let i = share.start; i < share.end; i++) numbers.push(first + i);
  }
  return numbers;
}
