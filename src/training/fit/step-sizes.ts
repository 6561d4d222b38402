// How many batches make a step: as the options say, or as the model does, whose steps may grow with the samples it has seen.
import type { TrainableModel } from '../../model/index.js';
import { batchesOfStepAt, ranksCounted, type TrainerOptions } from '../trainer-options.js';

/** Where a run is, as far as the size of its next step depends on it. */
export interface StepPlace {
  readonly epoch: number;
  /** Examples seen so far. */
  readonly examples: number;
}

export class StepSizes {
  private readonly growth: TrainableModel['batchesOfStep'];

  /** @param options with the model's `batchesPerStep` in them; see `optionsFor` */
  constructor(
    { batchesOfStep, batchesPerStep = 1 }: Pick<TrainableModel, 'batchesOfStep' | 'batchesPerStep'>,
    private readonly options: TrainerOptions,
    private readonly ranks = 1,
  ) {
    // Who sets accumulate_grad_batches has said how large steps are.
    this.growth = options.accumulate_grad_batches === batchesPerStep ? batchesOfStep : undefined;
  }

  /** Whether steps become larger. */
  get grow(): boolean {
    return this.growth !== undefined;
  }

  /** Batches of all ranks in the step to come. */
  at({ epoch, examples }: StepPlace): number {
    return this.growth
      ? this.growth(examples) * ranksCounted(this.options, this.ranks)
      : batchesOfStepAt(this.options, epoch, this.ranks);
  }
}
