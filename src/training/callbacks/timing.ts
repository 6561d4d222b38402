// Callbacks about time: how long steps take, and how long a run may.
import { Callback, type StepReport, type TrainingRun } from './callback.js';

/** Mean seconds of training steps in the log (NeMo's StepTiming); those of validations are logged always. */
export class StepTiming extends Callback {
  readonly name = 'step_timing';
  private readonly recent: number[] = [];

  /** @param bufferSize steps the mean is taken over */
  constructor(private readonly bufferSize = 1) {
    super();
  }

  override async onStep(run: TrainingRun, step: StepReport): Promise<void> {
    this.recent.push(step.seconds);
    if (this.recent.length > this.bufferSize) this.recent.shift();
    if (run.progress.step % run.options.log_every_n_steps !== 0) return;
    const mean = this.recent.reduce((a, b) => a + b, 0) / this.recent.length;
    await run.log({ 'train/step_seconds': mean, 'train/step_wait_seconds': step.waitSeconds });
  }
}

/** Ends a run after so many seconds, counted anew at each start (exp_manager.max_time_per_run). */
export class RunTimeLimit extends Callback {
  readonly name = 'run_time_limit';
  private started = 0;

  constructor(private readonly seconds: number) {
    super();
  }

  override async onFitStart(): Promise<void> {
    this.started = performance.now();
  }

  override async onStep(run: TrainingRun): Promise<void> {
    if (performance.now() - this.started >= 1000 * this.seconds) {
      run.stop({ kind: 'stopped', reason: 'max_time_per_run reached' });
    }
  }
}
