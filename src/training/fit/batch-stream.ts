// The batches of one epoch from a position on, with a count of what may still be taken.
import type { Batch, BatchSource } from '../../model/index.js';

export class BatchStream {
  private readonly iterator: AsyncIterator<Batch>;

  constructor(
    source: BatchSource,
    readonly epoch: number,
    from: number,
    /** Batches that may be taken. */
    private left: number,
  ) {
    this.iterator = source.epoch(epoch, from)[Symbol.asyncIterator]();
  }

  /** Up to `count` batches; none at the end of the epoch. */
  async take(count: number): Promise<Batch[]> {
    const takenBatches: Batch[] = [];
    while (takenBatches.length < count && this.left > 0) {
      const { done, value } = await this.iterator.next();
      if (done) {
        this.left = 0;
      } else {
        this.left--;
        takenBatches.push(value);
      }
    }
    return takenBatches;
  }

  /** Frees what was prefetched. */
  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}
