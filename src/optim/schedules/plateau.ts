// ReduceLROnPlateau with torch's rules: when the monitored metric has not improved for `patience`
// validations, every learning rate is multiplied by `factor`.
import type { Scheduler } from './scheduler.js';

export interface PlateauOptions {
  readonly mode: string;
  readonly factor: number;
  readonly patience: number;
  readonly threshold: number;
  readonly threshold_mode: string;
  readonly cooldown: number;
  readonly min_lr: number;
  readonly eps: number;
}

export class PlateauScheduler implements Scheduler {
  readonly name = 'ReduceLROnPlateau';
  private best: number | undefined;
  private bad = 0;
  private cooling = 0;
  private reductions = 0;

  constructor(
    readonly monitor: string,
    private readonly options: PlateauOptions,
  ) {}

  rate(base: number): number {
    const { factor, min_lr, eps } = this.options;
    let rate = base;
    for (let i = 0; i < this.reductions; i++) {
      const lower = Math.max(rate * factor, min_lr);
      if (!(rate - lower > eps)) break; // and so it stays
      rate = lower;
    }
    return rate;
  }

  observe(metric: number): void {
    if (this.isBetter(metric)) {
      this.best = metric;
      this.bad = 0;
    } else {
      this.bad++;
    }
    if (this.cooling > 0) {
      this.cooling--;
      this.bad = 0;
    }
    if (this.bad > this.options.patience) {
      this.reductions++;
      this.cooling = this.options.cooldown;
      this.bad = 0;
    }
  }

  state(): Readonly<Record<string, number>> {
    const { best, bad, cooling, reductions } = this;
    return { bad, cooling, reductions, ...(best === undefined ? {} : { best }) };
  }

  check(state: Readonly<Record<string, number>>): string | undefined {
    const counts = ['bad', 'cooling', 'reductions'];
    const wrongKey = counts.find((key) => !(Number.isInteger(state[key]) && state[key] >= 0));
    return wrongKey === undefined ? undefined : `${wrongKey} is no count`;
  }

  restore(state: Readonly<Record<string, number>>): void {
    this.best = state['best'];
    this.bad = state['bad'] ?? 0;
    this.cooling = state['cooling'] ?? 0;
    this.reductions = state['reductions'] ?? 0;
  }

  private isBetter(metric: number): boolean {
    if (this.best === undefined) return !Number.isNaN(metric);
    const { mode, threshold, threshold_mode } = this.options;
    const sign = mode === 'max' ? 1 : -1;
    const margin = threshold_mode === 'rel' ? Math.abs(this.best) * threshold : threshold;
    return sign * (metric - this.best) > margin;
  }
}
