// The callback that saves checkpoints.
import { makeFolder } from '../../formats/index.js';
import { removeLeftovers } from '../checkpoint/atomic-folder.js';
import type { JsonValue } from '../checkpoint/content.js';
import { freeFolder, type Retention, retain } from '../checkpoint/folder.js';
import { ENDING } from '../checkpoint/missing.js';
import { writeCheckpoint } from '../checkpoint/writer.js';
import { writing } from '../io-error.js';
import { metricOf } from '../metric-names.js';
import { Callback, monitored, type Outcome, type TrainingRun } from './callback.js';

/** Where checkpoints go, when they are saved and which are kept. */
export interface CheckpointOptions extends Retention {
  readonly folder: string;
  /** Start of the names, usually the experiment's. */
  readonly prefix: string;
  readonly everyNEpochs: number;
  readonly everyNSteps: number | undefined;
  readonly everySeconds: number | undefined;
  /** Whether a lock keeps other processes out of the folder. Default false. */
  readonly alone?: boolean;
}

/**
 * Saves checkpoints: after validations (the best k by a metric), every n steps or minutes, and the last one when the
 * fit ends for whatever reason. Source: NeMo's NeMoModelCheckpoint.
 */
export class CheckpointCallback extends Callback {
  readonly name = 'checkpoint';
  override readonly savesRun = true;
  /** Metrics in hand are of the weights being saved. */
  private scored = false;
  private savedAt: number | undefined;
  private lastSave = performance.now();
  /** The checkpoint saved last. */
  latest: string | undefined;

  constructor(readonly options: CheckpointOptions) {
    super();
  }

  override async onFitStart(run: TrainingRun): Promise<void> {
    // The folder is made at the start: one that cannot be written must not cost an epoch of training.
    const { folder, alone } = this.options;
    await writing(folder, async () => makeFolder(folder));
    await writing(folder, () => removeLeftovers(folder, { alone }));
    // The weights that a run starts from are saved already, or are not worth saving.
    this.savedAt = run.progress.batches;
  }

  override async onStep(run: TrainingRun): Promise<void> {
    const { everyNSteps, everySeconds } = this.options;
    const stepsDue = everyNSteps !== undefined && run.progress.step % everyNSteps === 0;
    const timeDue = everySeconds !== undefined && performance.now() - this.lastSave >= 1000 * everySeconds;
    if (stepsDue || timeDue) await this.save(run, false);
  }

  override async onValidationEnd(run: TrainingRun): Promise<void> {
    if (this.options.saveTopK !== 0)
      monitored(run, this.options.monitor, 'exp_manager.checkpoint_callback_params.monitor');
    await this.save(run, true);
  }

  override async onEpochEnd(run: TrainingRun): Promise<void> {
    if (!run.validates && run.progress.epoch % this.options.everyNEpochs === 0) await this.save(run, false);
  }

  override async onFitEnd(run: TrainingRun, _outcome: Outcome): Promise<void> {
    // The metrics still belong to these weights when a save after a validation failed and is made up for here.
    if (this.savedAt !== run.progress.batches) await this.save(run, this.scored);
    // A kill between the last save and the tidying leaves the tidying to be done.
    else await this.tidy();
  }

  override state(): JsonValue {
    const { monitor, mode } = this.options;
    return { monitor, mode, scored: this.scored };
  }

  private async save(run: TrainingRun, scored: boolean): Promise<void> {
    const { folder, prefix, monitor } = this.options;
    const { epoch, step, batches } = run.progress;
    const value = metricOf(run.metrics, monitor) ?? Number.NaN;
    const score =
      scored && Number.isFinite(value) ? `${monitor.replaceAll('/', '_')}=${value.toFixed(4)}-` : '';
    const target = await freeFolder(folder, `${prefix}--${score}epoch=${epoch}-step=${step}`, ENDING);
    this.scored = scored;
    await writeCheckpoint(target, await run.snapshot(), run.engine);
    this.scored = false;
    this.savedAt = batches;
    this.lastSave = performance.now();
    this.latest = target;
    await this.tidy();
  }

  private async tidy(): Promise<void> {
    const { folder } = this.options;
    await writing(folder, () => retain(folder, this.options, this.latest));
  }
}
