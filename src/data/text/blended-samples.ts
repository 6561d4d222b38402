// Samples of several sets, each as often as its weight says, in Megatron's order.
import { type BlendIndex, blendIndex } from './gpt-index.js';
import type { SampleSet } from './sample-set.js';

/** Samples of several sets, each as often as its weight says, in Megatron's order. */
export class BlendedSamples implements SampleSet {
  private readonly index: BlendIndex;
  /** Samples that each set gives in an epoch. */
  private readonly taken: readonly number[];

  /**
   * @param weights of the sets, at most 256
   * @param count samples of an epoch
   */
  constructor(
    private readonly sets: readonly SampleSet[],
    weights: readonly number[],
    readonly count: number,
  ) {
    this.index = blendIndex(weights, count);
    const taken = sets.map(() => 0);
    for (const set of this.index.sets) taken[set]++;
    this.taken = taken;
  }

  at(index: number): Int32Array {
    const [set, sample] = this.placeOf(index);
    return set.at(sample);
  }

  nameOf(index: number): string {
    const [set, sample] = this.placeOf(index);
    return set.nameOf(sample);
  }

  /** The sets are of one tokenizer. */
  bytesOf(targets: Int32Array): number {
    return this.sets[0].bytesOf(targets);
  }

  digest(): string {
    return this.sets.map((set) => set.digest()).join('+');
  }

  /** Closes all sets. */
  close(): void {
    for (const set of this.sets) set.close();
  }

  private placeOf(index: number): readonly [SampleSet, number] {
    const epoch = Math.floor(index / this.count);
    const at = index % this.count;
    const set = this.index.sets[at];
    return [this.sets[set], epoch * this.taken[set] + this.index.samples[at]];
  }
}
