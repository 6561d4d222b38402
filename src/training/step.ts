// One optimizer step as its parts see it: what goes in and what comes out.
import type { Batch } from '../model/index.js';
import type { CounterRandom } from '../random/index.js';

/** A batch and the key of its dropout streams. */
export interface MicroStep {
  readonly batch: Batch;
  readonly random: CounterRandom;
  /** The rank whose batch it is, where it is another's: then the batch has no inputs. */
  readonly rank?: number;
  /** Of a batch of another rank whose loss or gradient is not finite: whether its data is. */
  readonly hasFiniteData?: boolean;
}

export interface StepResult {
  /** Loss of the batches of the step as if they were one; NaN where all are empty. */
  readonly loss: number;
  /** Norm of the gradient before clipping. */
  readonly gradNorm: number;
  /** Scalars the model reported. */
  readonly logs: Readonly<Record<string, number>>;
  /** Whether the weights changed. */
  readonly committed: boolean;
  /** Batches whose loss or gradient was not finite. */
  readonly refused: readonly MicroStep[];
  /** Batches whose loss weighs 0; they changed nothing. */
  readonly empty: readonly MicroStep[];
  /** Examples and units of all batches. */
  readonly examples: number;
  readonly units: number;
  /** Set where the loss is scaled and did not fit: the step is not to blame and changed nothing. */
  readonly overflow?: Overflow;
}

/** A step whose gradients, or loss, float16 did not hold. */
export interface Overflow {
  readonly steps: readonly MicroStep[];
  /** The loss scale of the step, and that of the next. */
  readonly scale: number;
  readonly next: number;
  /** Steps that overflowed so far, this one included. */
  readonly skipped: number;
  /** There is no smaller scale to try. */
  readonly isLast: boolean;
}
