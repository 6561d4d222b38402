// Running statistics (batch norm) of several ranks: each follows its own batches during a step; after it, all have what one
// rank would have after all batches, in their order, up to rounding.
import type { Engine } from '../../engine/index.js';
import type { Buffer, Module } from '../../nn/index.js';
import type { Ranks } from './ranks.js';

type Values = Float32Array | Int32Array;

export class RankBuffers {
  constructor(
    private readonly engine: Engine,
    private readonly module: Module,
    private readonly ranks: Ranks,
    /** Whether batch statistics are those of all ranks, see shared-statistics.ts. */
    private readonly areShared = false,
  ) {}

  /**
   * Runs a step, with what `combine` needs; buffers of a step that fails are what they were, so that its batches do not count
   * twice when they are taken again.
   */
  async during<T>(step: (combine: (counted: number) => Promise<void>) => Promise<T>): Promise<T> {
    const buffers = this.ranks.areSeveral
      ? [...this.module.buffers()].filter(({ running }) => running !== undefined)
      : [];
    if (buffers.length === 0) return step(async () => {});
    const before = await this.values(buffers);
    try {
      return await step((counted) => this.combine(buffers, before, counted));
    } catch (error) {
      await this.write(buffers, before);
      throw error;
    }
  }

  /** @param counted batches that have changed the buffers of this rank */
  private async combine(
    buffers: readonly Buffer[],
    before: readonly Values[],
    counted: number,
  ): Promise<void> {
    const own = await this.values(buffers);
    const changes = this.ranks.gather(
      Float32Array.from(
        own.flatMap((values, i) =>
          Array.from(values, (value, k) => value - kept(buffers[i], counted) * before[i][k]),
        ),
      ),
      'running statistics',
    );
    const counts = this.ranks.exchange(counted, 'batches of the step');
    // Ranks that have followed all batches have the same; those without a batch take it over.
    const follower = counts.indexOf(Math.max(...counts));
    let at = 0;
    const after = buffers.map((buffer, i) => {
      const values = before[i].slice();
      for (let k = 0; k < values.length; k++, at++) {
        let value = before[i][k];
        counts.forEach((count, rank) => {
          if (this.areShared && buffer.followsAllRanks && rank !== follower) return;
          value = kept(buffer, count) * value + changes[rank][at];
        });
        values[k] = value;
      }
      return values;
    });
    await this.write(buffers, after);
  }

  private async values(buffers: readonly Buffer[]): Promise<Values[]> {
    const values: Values[] = [];
    for (const buffer of buffers) values.push((await this.engine.read(buffer)) as Values);
    return values;
  }

  private async write(buffers: readonly Buffer[], values: readonly Values[]): Promise<void> {
    for (const [i, buffer] of buffers.entries()) await this.engine.write(buffer, values[i]);
  }
}

/** The share of a buffer's value that is left after so many batches. */
function kept({ running }: Buffer, batches: number): number {
  return running === 'count' || running === undefined ? 1 : running.keeps ** batches;
}
