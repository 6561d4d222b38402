// Rates since the last log row, for the progress line and the log.
import type { StepReport } from '../callbacks/callback.js';

export class Throughput {
  private steps = 0;
  private examples = 0;
  private units = 0;
  private seconds = 0;
  private waiting = 0;
  private lossSum = 0;
  private losses = 0;

  add(step: StepReport): void {
    this.steps++;
    this.examples += step.examples;
    this.units += step.units;
    this.seconds += step.seconds + step.waitSeconds;
    this.waiting += step.waitSeconds;
    if (Number.isFinite(step.loss)) {
      this.lossSum += step.loss;
      this.losses++;
    }
  }

  rates(): Readonly<{
    loss: number;
    examplesPerSecond: number;
    unitsPerSecond: number;
    waitShare: number;
    stepSeconds: number;
  }> {
    const seconds = Math.max(this.seconds, 1e-9);
    return {
      loss: this.losses === 0 ? Number.NaN : this.lossSum / this.losses,
      examplesPerSecond: this.examples / seconds,
      unitsPerSecond: this.units / seconds,
      waitShare: this.waiting / seconds,
      stepSeconds: this.seconds / Math.max(this.steps, 1),
    };
  }
}
