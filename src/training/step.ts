// One optimizer step as its parts see it: what goes in and what comes out.
import type { Batch } from '../model/index.js';
import type { CounterRandom } from '../random/index.js';

/** A batch and the key of its dropout streams. */
export interface MicroStep {
  readonly batch: Batch;
  readonly random: CounterRandom;
}

export interface StepResult {
  /** Mean loss over the batches of the step. */
  readonly loss: number;
  /** Norm of the averaged gradient before clipping. */
  readonly gradNorm: number;
  /** Scalars the model reported. */
  readonly logs: Readonly<Record<string, number>>;
  /** Whether the weights changed. */
  readonly committed: boolean;
  /** Batches whose loss or gradient was not finite. */
  readonly refused: readonly MicroStep[];
}
