// What is measured of the steps between two log rows, for the progress line and the log.
import type { StepReport } from '../callbacks/callback.js';
import { grouped } from '../metric-names.js';
import type { StepStatus } from '../progress/progress-view.js';
import { type IntervalSums, Throughput } from '../progress/throughput.js';
import { SystemGauges } from '../system/system-gauges.js';
import type { FitParts } from './fit-parts.js';

/** How the progress line calls examples and units of a source that does not say. */
const NAMELESS = { example: 'examples', unit: 'units' };

export class StepMeter {
  private throughput: Throughput;
  private readonly system = new SystemGauges();

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
    const { gemmRate } = this.parts;
    const { progress, plan, engine, source } = this.parts;
    const { step, epoch } = progress;
    const rates = this.throughput.rates();
    const left = plan.totalSteps === undefined ? undefined : plan.totalSteps - step;
    return {
      step,
      totalSteps: plan.totalSteps,
      epoch: epoch + 1,
      totalEpochs: plan.epochs,
      ...rates,
      rateShare: gemmRate && rates.flopsPerSecond !== undefined ? rates.flopsPerSecond / gemmRate : undefined,
      names: source.names ?? NAMELESS,
      figures: source.figures?.(rates.loss) ?? {},
      learningRate,
      compilations: engine.stats.compilations,
      compileSeconds: engine.stats.compileSeconds,
      ...this.system.status(),
      etaSeconds: left === undefined ? undefined : left * rates.stepSeconds,
    };
  }

  /** The row of the interval that ends with a step; a new one begins. */
  row({ learningRate, gradNorm, logs }: StepReport, status: StepStatus): Record<string, number> {
    const { progress, plan, source } = this.parts;
    const { epoch, batch } = progress;
    const { flopsPerSecond } = this.throughput.rates();
    this.throughput = new Throughput();
    return {
      'train/loss': status.loss,
      ...grouped('train', { ...source.figures?.(status.loss), ...logs }),
      'train/learning_rate': learningRate,
      'train/grad_norm': gradNorm,
      'train/epoch': epoch + batch / Math.max(1, plan.batchesIn(epoch)),
      'train/examples_per_second': status.examplesPerSecond,
      'train/units_per_second': status.unitsPerSecond,
      ...(status.rateShare !== undefined && {
        'train/gflops_per_second': (flopsPerSecond ?? 0) / 1e9,
        'train/gemm_share': status.rateShare,
      }),
      'data/wait_share': status.waitShare,
      ...grouped('data', source.gauges()),
      'engine/compilations': status.compilations,
      'engine/compile_seconds': status.compileSeconds,
      ...this.system.row(status),
    };
  }

  /** What a checkpoint keeps. */
  state(): IntervalSums {
    return this.throughput.state();
  }
}
