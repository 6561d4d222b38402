// Rates since the last log row, for the progress line and the log. The sums go into checkpoints: a mean over an
// interval in which the process was killed is the mean over the whole interval.

/** Sums over the steps since the last log row. */
export interface IntervalSums {
  readonly steps: number;
  readonly examples: number;
  readonly units: number;
  /** Seconds of the steps, waiting for data included. */
  readonly seconds: number;
  readonly waitSeconds: number;
  /** Sum of the losses that are finite, and how many those are. */
  readonly loss: number;
  readonly losses: number;
  /** Floating-point operations; 0 where they are not counted. */
  readonly flops: number;
}

const NOTHING: IntervalSums = {
  steps: 0,
  examples: 0,
  units: 0,
  seconds: 0,
  waitSeconds: 0,
  loss: 0,
  losses: 0,
  flops: 0,
};

/** What one step adds; a StepReport has it. */
export interface StepFigures {
  readonly loss: number;
  readonly examples: number;
  readonly units: number;
  readonly seconds: number;
  readonly waitSeconds: number;
  readonly flops?: number | undefined;
}

export class Throughput {
  constructor(private sums: IntervalSums = NOTHING) {}

  add(step: StepFigures): void {
    const { sums } = this;
    const isUsable = Number.isFinite(step.loss);
    this.sums = {
      steps: sums.steps + 1,
      examples: sums.examples + step.examples,
      units: sums.units + step.units,
      seconds: sums.seconds + step.seconds + step.waitSeconds,
      waitSeconds: sums.waitSeconds + step.waitSeconds,
      loss: sums.loss + (isUsable ? step.loss : 0),
      losses: sums.losses + (isUsable ? 1 : 0),
      flops: sums.flops + (step.flops ?? 0),
    };
  }

  state(): IntervalSums {
    return this.sums;
  }

  rates(): Readonly<{
    loss: number;
    examplesPerSecond: number;
    unitsPerSecond: number;
    waitShare: number;
    stepSeconds: number;
    /** Floating-point operations of products a second; undefined where they are not counted. */
    flopsPerSecond: number | undefined;
  }> {
    const { sums } = this;
    const seconds = Math.max(sums.seconds, 1e-9);
    return {
      loss: sums.losses === 0 ? Number.NaN : sums.loss / sums.losses,
      examplesPerSecond: sums.examples / seconds,
      unitsPerSecond: sums.units / seconds,
      waitShare: sums.waitSeconds / seconds,
      stepSeconds: sums.seconds / Math.max(sums.steps, 1),
      flopsPerSecond: sums.flops ? sums.flops / seconds : undefined,
    };
  }
}
