// The loss of an evaluated batch with the losses it is made of: as outputs of a program, as numbers, and as means over
// many batches.
import type { HostTensors, Tensors } from '../../engine/index.js';
import type { StepOutput } from '../../model/index.js';

const PART = 'loss.';

/** Losses by name; `loss` is the one that training minimises. */
export type LossValues = Readonly<Record<string, number>>;

/** Outputs of a program that `lossesOf` understands. */
export function lossOutputs({ loss, logs = {} }: StepOutput): Tensors {
  const parts = Object.entries({ loss, ...logs }).map(([name, value]) => [PART + name, value] as const);
  return Object.fromEntries(parts);
}

export function lossesOf(outputs: HostTensors): LossValues {
  const parts = Object.entries(outputs).filter(([name]) => name.startsWith(PART));
  return Object.fromEntries(parts.map(([name, { data }]) => [name.slice(PART.length), data[0]]));
}

/** Means over batches, weighted by their sizes. */
export class MeanLosses {
  private readonly sums = new Map<string, { sum: number; weight: number }>();

  add(losses: LossValues, size: number): void {
    for (const [name, value] of Object.entries(losses)) {
      const entry = this.sums.get(name) ?? { sum: 0, weight: 0 };
      this.sums.set(name, entry);
      entry.sum += value * size;
      entry.weight += size;
    }
  }

  summary(): Record<string, number> {
    const means = [...this.sums].map(([name, { sum, weight }]) => [name, sum / weight] as const);
    return Object.fromEntries(means);
  }
}
