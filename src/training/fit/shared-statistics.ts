// Batch statistics of several ranks (`sync_batchnorm`): the batches that ranks compute at the same time are taken for parts of one
// large batch. Not about the running statistics, which rank-buffers.ts takes over.
import { hostCall, type Tensor } from '../../engine/index.js';
import { type Pass, trainingPass } from '../../nn/index.js';
import type { Ranks } from './ranks.js';

export class SharedStatistics {
  /** Of training steps. */
  readonly pass: Pass;
  /** The first ranks, by how many they are; undefined where this rank is none of them. */
  private readonly groups = new Map<number, Ranks | undefined>();
  private batchesOfRanks: readonly number[] = [];
  /** The ranks that compute a batch now. */
  private group: Ranks | undefined;

  constructor(private readonly ranks: Ranks) {
    this.pass = { ...trainingPass, sumOverRanks: (x, label) => this.sum(x, label) };
  }

  /** @param batches of this rank in the step to come */
  beginStep(batches: number): void {
    this.batchesOfRanks = this.ranks.exchange(batches, 'batches of the step');
    // All ranks make the groups that the step needs, in the same order.
    for (let i = 0; i < Math.max(...this.batchesOfRanks); i++) {
      const size = this.ranksWith(i);
      if (!this.groups.has(size)) this.groups.set(size, this.ranks.first(size));
    }
  }

  /** @param i number of the batch among those of this rank in the step */
  beginBatch(i: number): void {
    this.group = this.groups.get(this.ranksWith(i));
  }

  /** Ranks that have a batch of that number: the first ones, for no rank has more than one before it. */
  private ranksWith(i: number): number {
    return this.batchesOfRanks.filter((batches) => batches > i).length;
  }

  private sum(x: Tensor, label: string): Tensor {
    const spec = { dtype: 'float32' as const, shape: x.shape };
    const sum = hostCall(
      `sum over ranks of ${label}`,
      ([own]) => [{ ...spec, data: this.group?.sum(own.data as Float32Array, label) ?? own.data.slice() }],
      [x],
      [spec],
    );
    return sum[0];
  }
}
