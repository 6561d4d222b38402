// The arithmetic of a fit, from the options and the sizes of the data: how many batches, when to validate,
// when it is over. No state.
import type { Interval } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { BatchSource } from '../../model/index.js';
import type { RunProgress } from '../run-progress.js';
import { batchesOfStepAt, countOf, ranksCounted, type TrainerOptions } from '../trainer-options.js';

/** Lightning's limit for a run that names none. */
const DEFAULT_EPOCHS = 1000;

export class FitPlan {
  /** Epochs to train; undefined for no limit. */
  readonly epochs: number | undefined;
  readonly validates: boolean;
  /** Optimizer steps of the whole run, when limits make them known. */
  readonly totalSteps: number | undefined;

  constructor(
    private readonly options: TrainerOptions,
    private readonly source: BatchSource,
    validation: readonly BatchSource[],
    /** How many train together: numbers of batches in the options are those of one, as in Lightning. */
    private readonly ranks = 1,
  ) {
    const limit = options.limit_val_batches;
    const off = 'batches' in limit ? limit.batches === 0 : limit.fraction === 0;
    this.validates = validation.length > 0 && !off;
    this.epochs = epochLimit(options);
    this.totalSteps = this.countSteps();
  }

  /** Batches of an epoch that are used. */
  batchesIn(epoch: number): number {
    const { limit_train_batches: limit } = this.options;
    return countOf(this.ofAllRanks(limit), this.source.batchesInEpoch(epoch));
  }

  /** Why the run is over at this point, or undefined. */
  finished(progress: RunProgress): string | undefined {
    const { max_steps, max_time } = this.options;
    if (max_steps >= 0 && progress.step >= max_steps) return `max_steps=${max_steps} reached`;
    if (this.epochs !== undefined && progress.epoch >= this.epochs)
      return `max_epochs=${this.epochs} reached`;
    if (max_time !== null && progress.seconds >= max_time) return 'max_time reached';
    return undefined;
  }

  /** Whether the step that went from `batch`/`batches` batches to the present makes a validation due. */
  validationDue(
    progress: RunProgress,
    before: { readonly batch: number; readonly batches: number },
  ): boolean {
    if (!this.validates) return false;
    const { val_check_interval, check_val_every_n_epoch: epochs } = this.options;
    const every = this.ofAllRanks(val_check_interval);
    const inEpoch = this.batchesIn(progress.epoch);
    if ('batches' in every && epochs === null) {
      return crosses(before.batches, progress.batches, every.batches);
    }
    if (epochs !== null && (progress.epoch + 1) % epochs !== 0) return false;
    if ('batches' in every && every.batches > inEpoch) throw tooRare(every.batches, inEpoch);
    const interval = 'batches' in every ? every.batches : Math.max(1, Math.floor(inEpoch * every.fraction));
    return crosses(before.batch, progress.batch, interval);
  }

  private ofAllRanks(interval: Interval): Interval {
    if (!('batches' in interval)) return interval;
    return { batches: interval.batches * ranksCounted(this.options, this.ranks) };
  }

  private countSteps(): number | undefined {
    const { max_steps } = this.options;
    if (this.epochs === undefined) return max_steps >= 0 ? max_steps : undefined;
    let steps = 0;
    const first = this.batchesIn(0);
    for (let epoch = 0; epoch < this.epochs; epoch++) {
      steps += Math.ceil(first / batchesOfStepAt(this.options, epoch, this.ranks));
      if (max_steps >= 0 && steps >= max_steps) return max_steps;
    }
    return steps;
  }
}

function epochLimit({ max_epochs, max_steps, max_time }: TrainerOptions): number | undefined {
  if (max_epochs === -1) return undefined;
  if (max_epochs !== null) return max_epochs;
  return max_steps >= 0 || max_time !== null ? undefined : DEFAULT_EPOCHS;
}

function crosses(before: number, after: number, interval: number): boolean {
  return interval > 0 && Math.floor(after / interval) > Math.floor(before / interval);
}

function tooRare(batches: number, inEpoch: number): AnemoneError {
  return new AnemoneError({
    code: 'trainer.val-check-interval',
    path: 'trainer.val_check_interval',
    message: `${batches} batches are more than an epoch has (${inEpoch})`,
    hint: 'set check_val_every_n_epoch: null to count across epochs',
  });
}
