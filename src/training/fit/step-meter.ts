// What is measured of the steps between two log rows, for the progress line and the log.
import type { StepReport } from '../callbacks/callback.js';
import type { StepStatus } from '../progress/progress-view.js';
import { type IntervalSums, Throughput } from '../progress/throughput.js';
import type { FitParts } from './fit-parts.js';

export class StepMeter {
  private throughput: Throughput;

  /** @param before sums of the interval in which the run goes on */
  constructor(
    private readonly parts: FitParts,
    before: IntervalSums | undefined,
  ) {
    this.throughput = new Throughput(before);
  }

  add(report: StepReport): void {
    this.throughput.add(report);
  }

  /** For the progress line. */
  status({ learningRate }: StepReport): StepStatus {
    const { progress, plan, engine } = this.parts;
    const { step, epoch } = progress;
    const rates = this.throughput.rates();
    const left = plan.totalSteps === undefined ? undefined : plan.totalSteps - step;
    return {
      step,
      totalSteps: plan.totalSteps,
      epoch: epoch + 1,
      totalEpochs: plan.epochs,
      ...rates,
      learningRate,
      compilations: engine.stats.compilations,
      compileSeconds: engine.stats.compileSeconds,
      rssBytes: process.memoryUsage.rss(),
      etaSeconds: left === undefined ? undefined : left * rates.stepSeconds,
    };
  }

  /** The row of the interval that ends with a step; a new one begins. */
  row({ learningRate, gradNorm, logs }: StepReport, { rssBytes }: StepStatus): Record<string, number> {
    const { progress, plan, engine, source } = this.parts;
    const { epoch, batch } = progress;
    const rates = this.throughput.rates();
    this.throughput = new Throughput();
    return {
      train_loss: rates.loss,
      learning_rate: learningRate,
      grad_norm: gradNorm,
      epoch: epoch + batch / Math.max(1, plan.batchesIn(epoch)),
      examples_per_second: rates.examplesPerSecond,
      units_per_second: rates.unitsPerSecond,
      data_wait_share: rates.waitShare,
      compilations: engine.stats.compilations,
      compile_seconds: engine.stats.compileSeconds,
      rss_mb: rssBytes / 2 ** 20,
      ...prefixed('train_', logs),
      ...prefixed('data_', source.gauges()),
    };
  }

  /** What a checkpoint keeps. */
  state(): IntervalSums {
    return this.throughput.state();
  }
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}${key}`, value]));
}
