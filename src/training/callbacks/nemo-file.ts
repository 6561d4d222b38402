// Writes the model of a run as one .nemo file beside its checkpoints: at the end, or after every checkpoint.
import { join } from 'node:path';
import { AnemoneError, printable } from '../../errors/index.js';
import { isArchivable } from '../../model/index.js';
import { isScored, listCheckpoints, problemOf, ranked } from '../checkpoint/folder.js';
import { Checkpoint } from '../checkpoint/reader.js';
import { checkpointValues } from '../checkpoint/weights.js';
import { Callback, type Outcome, type TrainingRun } from './callback.js';
import type { CheckpointCallback } from './checkpoint-callback.js';

/** When the file is written, and of which weights. */
export interface NemoFileOptions {
  /** Whether the file is written after every checkpoint, not only at the end. */
  readonly always: boolean;
  readonly onEnd: boolean;
  /** The best checkpoint's weights instead of the last one's. */
  readonly best: boolean;
  /** End of the name, which starts with that of the checkpoints. */
  readonly postfix: string;
}

/** Comes after the callback that saves checkpoints. Averaged weights are written where the run keeps them. */
export class NemoFileCallback extends Callback {
  readonly name = 'nemo-file';
  override readonly savesRun = true;
  private written: string | undefined;

  constructor(
    private readonly checkpoints: CheckpointCallback,
    readonly options: NemoFileOptions,
  ) {
    super();
  }

  override async onStep(run: TrainingRun): Promise<void> {
    await this.after(run);
  }

  override async onValidationEnd(run: TrainingRun): Promise<void> {
    await this.after(run);
  }

  override async onEpochEnd(run: TrainingRun): Promise<void> {
    await this.after(run);
  }

  override async onFitEnd(run: TrainingRun, outcome: Outcome): Promise<void> {
    const isWanted = this.options.onEnd || this.options.always;
    if (isWanted && outcome.kind !== 'failed' && outcome.kind !== 'interrupted') await this.write(run);
  }

  private async after(run: TrainingRun): Promise<void> {
    if (this.options.always && this.checkpoints.latest !== this.written) await this.write(run);
  }

  private async write(run: TrainingRun): Promise<void> {
    const { folder, prefix } = this.checkpoints.options;
    if (!isArchivable(run.model)) return;
    this.written = this.checkpoints.latest;
    const target = join(folder, `${prefix}${this.options.postfix}`);
    try {
      const source = await this.source(run);
      if (!source) return;
      await run.model.saveTo(target, {
        engine: run.engine,
        instead: await checkpointValues(source, 'auto', run.model),
      });
      run.say(`saved ${printable(target)}`);
    } catch (error) {
      // A model for which NeMo has no parts is trained all the same; it only gets no .nemo file.
      if (!(error instanceof AnemoneError)) throw error;
      run.say(`no ${printable(target)}: ${error.message}`);
    }
  }

  /** A start that had nothing left to do has saved nothing: what it went on from counts then. */
  private async source(run: TrainingRun): Promise<Checkpoint | undefined> {
    const { latest, options } = this.checkpoints;
    if (latest && !this.options.best) return Checkpoint.open(latest);
    const { checkpoints } = await listCheckpoints(options.folder, { verify: true });
    const best = this.options.best
      ? await firstWhole(ranked(checkpoints.filter(isScored), options))
      : undefined;
    if (best ?? checkpoints[0]) return best ?? checkpoints[0];
    return run.resumedFrom === undefined ? undefined : Checkpoint.open(run.resumedFrom);
  }
}

async function firstWhole(checkpoints: readonly Checkpoint[]): Promise<Checkpoint | undefined> {
  for (const checkpoint of checkpoints) if ((await problemOf(checkpoint)) === undefined) return checkpoint;
  return undefined;
}
