// The callback that ends a fit which no longer improves.
import type { JsonValue } from '../checkpoint/content.js';
import { Callback, fieldsOf, monitored, type TrainingRun } from './callback.js';

/** Lightning's arguments of EarlyStopping. */
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
  readonly stoppingThreshold?: number | undefined;
  /** Stop when the metric is worse than this; undefined: never. */
  readonly divergenceThreshold?: number | undefined;
}

/** Ends the fit when a metric has stopped improving, with the rules of Lightning's EarlyStopping. */
export class EarlyStopping extends Callback {
  readonly name = 'early_stopping';
  private best: number | undefined;
  private waited = 0;
  /** The metric of the latest validation. */
  private last: number | undefined;

  constructor(readonly options: EarlyStoppingOptions) {
    super();
  }

  /** A run that was to end when its checkpoint was saved does not go on from there. */
  override async onFitStart(run: TrainingRun): Promise<void> {
    if (!run.progress.validationPending) this.stopIfDue(run);
  }

  override async onValidationEnd(run: TrainingRun): Promise<void> {
    const { monitor } = this.options;
    this.observe(monitored(run, monitor, 'exp_manager.early_stopping_callback_params.monitor'));
    this.stopIfDue(run);
  }

  override state(): JsonValue {
    return { best: this.best ?? null, waited: this.waited, last: this.last ?? null };
  }

  override check(state: JsonValue): string | undefined {
    const { best, waited, last } = fieldsOf(state);
    const isValue = (value: unknown) => value === null || typeof value === 'number';
    if (!isValue(best)) return 'best is no number';
    if (!(Number.isInteger(waited) && Number(waited) >= 0)) return 'waited is no count';
    return last === undefined || isValue(last) ? undefined : 'last is no number';
  }

  override restore(state: JsonValue): void {
    const { best, waited, last } = fieldsOf(state);
    this.best = typeof best === 'number' ? best : undefined;
    this.waited = Number(waited);
    this.last = typeof last === 'number' ? last : undefined;
  }

  private observe(value: number): void {
    this.last = value;
    if (this.reasonIn(value) !== undefined) return;
    if (this.best === undefined || this.isBetter(value, this.best, this.options.minDelta)) {
      this.best = value;
      this.waited = 0;
    } else {
      this.waited++;
    }
  }

  private stopIfDue(run: TrainingRun): void {
    if (this.last === undefined) return;
    const reason = this.reasonIn(this.last) ?? this.reasonInWaiting();
    if (reason !== undefined) run.stop({ kind: 'stopped', reason: `early stopping: ${reason}` });
  }

  /** Why a value alone ends the run. */
  private reasonIn(value: number): string | undefined {
    const { monitor, checkFinite, stoppingThreshold, divergenceThreshold } = this.options;
    if (checkFinite && !Number.isFinite(value)) return `${monitor} is ${value}`;
    if (stoppingThreshold !== undefined && this.isBetter(value, stoppingThreshold)) {
      return `${monitor} is better than ${stoppingThreshold}`;
    }
    if (divergenceThreshold !== undefined && this.isBetter(divergenceThreshold, value)) {
      return `${monitor} is worse than ${divergenceThreshold}`;
    }
    return undefined;
  }

  private reasonInWaiting(): string | undefined {
    const { monitor, patience } = this.options;
    if (this.waited === 0 || this.waited < patience) return undefined;
    return `${monitor} has not improved on ${this.best} for ${this.waited} validations`;
  }

  private isBetter(value: number, than: number, delta = 0): boolean {
    return this.options.mode === 'min' ? value < than - delta : value > than + delta;
  }
}
