// Ends the fit when a metric has stopped improving, with the rules of Lightning's EarlyStopping.
import { Callback, type JsonValue, monitored, type TrainingRun } from './callback.js';

export interface EarlyStoppingOptions {
  readonly monitor: string;
  readonly mode: 'min' | 'max';
  /** An improvement by less does not count. */
  readonly minDelta: number;
  /** Validations without improvement that are borne. */
  readonly patience: number;
  /** Stop at once when the metric is not finite. */
  readonly checkFinite: boolean;
  /** Stop when the metric is at least this good; undefined: never. */
  readonly stoppingThreshold: number | undefined;
  /** Stop when the metric is worse than this; undefined: never. */
  readonly divergenceThreshold: number | undefined;
}

export class EarlyStopping extends Callback {
  readonly name = 'early_stopping';
  private best: number | undefined;
  private waited = 0;

  constructor(readonly options: EarlyStoppingOptions) {
    super();
  }

  override async onValidationEnd(run: TrainingRun): Promise<void> {
    const { monitor, patience, checkFinite } = this.options;
    const value = monitored(run, monitor, 'exp_manager.early_stopping_callback_params.monitor');
    const stop = (reason: string) => run.stop({ kind: 'stopped', reason: `early stopping: ${reason}` });
    if (checkFinite && !Number.isFinite(value)) return stop(`${monitor} is ${value}`);
    const { stoppingThreshold, divergenceThreshold } = this.options;
    if (stoppingThreshold !== undefined && this.isBetter(value, stoppingThreshold)) {
      return stop(`${monitor} is better than ${stoppingThreshold}`);
    }
    if (divergenceThreshold !== undefined && this.isBetter(divergenceThreshold, value)) {
      return stop(`${monitor} is worse than ${divergenceThreshold}`);
    }
    if (this.best === undefined || this.isBetter(value, this.best, this.options.minDelta)) {
      this.best = value;
      this.waited = 0;
    } else if (++this.waited >= patience) {
      stop(`${monitor} has not improved on ${this.best} for ${this.waited} validations`);
    }
  }

  override state(): JsonValue {
    return { best: this.best ?? null, waited: this.waited };
  }

  override restore(state: JsonValue): void {
    const { best, waited } = state as { best: number | null; waited: number };
    this.best = best ?? undefined;
    this.waited = waited;
  }

  private isBetter(value: number, than: number, delta = 0): boolean {
    return this.options.mode === 'min' ? value < than - delta : value > than + delta;
  }
}
