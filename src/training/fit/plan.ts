// The arithmetic of a fit, from the options and the sizes of the data: how many batches, when to validate,
// when it is over. No state.
import type { Interval } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { BatchSource } from '../../model/index.js';
import type { RunProgress } from '../run-progress.js';
import { accumulationAt, countOf, ranksCounted, type TrainerOptions } from '../trainer-options.js';
import { StepSizes } from './step-sizes.js';

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
    private readonly sizes = new StepSizes({}, options, ranks),
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
    const { max_samples, max_steps, max_time, max_tokens } = this.options;
    if (max_samples !== null && progress.examples >= max_samples) return `max_samples=${max_samples} reached`;
    if (max_tokens !== null && progress.units >= max_tokens) return `max_tokens=${max_tokens} reached`;
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
    if ('batches' in every && this.sizes.grow) {
      // Steps of unequal sizes are counted themselves.
      const interval = every.batches / this.ofAllRanks({ batches: accumulationAt(this.options, 0) }).batches;
      return crosses(progress.step - 1, progress.step, interval);
    }
    if ('batches' in every && epochs === null) {
      return crosses(before.batches, progress.batches, every.batches);
    }
    if (epochs !== null && (progress.epoch + 1) % epochs !== 0) return false;
    if ('batches' in every && every.batches > inEpoch) throw tooRare(every.batches, inEpoch);
    const interval = 'batches' in every ? every.batches : Math.max(1, Math.floor(inEpoch * every.fraction));
    return crosses(before.batch, progress.batch, interval);
  }

  private ofAllRanks<I extends Interval>(interval: I): I {
    if (!('batches' in interval)) return interval;
    return { ...interval, batches: interval.batches * ranksCounted(this.options, this.ranks) };
  }

  private countSteps(): number | undefined {
    const { max_steps } = this.options;
    const most = max_steps >= 0 ? max_steps : Number.POSITIVE_INFINITY;
    const batches = this.batchLimit();
    if (this.epochs === undefined && batches === undefined) return max_steps >= 0 ? max_steps : undefined;
    const perBatch = this.source.largestBatch?.().size ?? 1;
    const first = this.batchesIn(0);
    let [steps, taken] = [0, 0];
    for (let epoch = 0; epoch < (this.epochs ?? Number.POSITIVE_INFINITY); epoch++) {
      if (!this.sizes.grow && batches === undefined) {
        steps += Math.ceil(first / this.sizes.at({ epoch, examples: 0 }));
        if (steps >= most) return most;
        continue;
      }
      for (let left = first; left > 0; steps++) {
        if (steps >= most || taken >= (batches ?? Number.POSITIVE_INFINITY)) return steps;
        const step = Math.min(left, this.sizes.at({ epoch, examples: taken * perBatch }));
        left -= step;
        taken += step;
      }
    }
    return steps;
  }

  /** Batches after which a limit of samples or tokens is reached; undefined where there is none, or nobody can tell. */
  private batchLimit(): number | undefined {
    const { max_samples, max_tokens } = this.options;
    const limits = [
      max_samples !== null && this.source.largestBatch ? max_samples / this.source.largestBatch().size : undefined, // biome-ignore format: one line
      max_tokens !== null && this.source.unitsPerBatch ? max_tokens / this.source.unitsPerBatch : undefined,
    ].filter((limit) => limit !== undefined);
    return limits.length === 0 ? undefined : Math.ceil(Math.min(...limits));
  }
}

function epochLimit({
  max_epochs,
  max_samples,
  max_steps,
  max_time,
  max_tokens,
}: TrainerOptions): number | undefined {
  if (max_epochs === -1) return undefined;
  if (max_epochs !== null) return max_epochs;
  const isLimited = max_steps >= 0 || max_time !== null || max_samples !== null || max_tokens !== null;
  return isLimited ? undefined : DEFAULT_EPOCHS;
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
