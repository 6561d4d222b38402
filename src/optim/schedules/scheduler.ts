// The interface of learning-rate schedules.

/** How far a run has come, as schedules count it. */
export interface ScheduleProgress {
  /** Optimizer steps done so far: 0 before the first. */
  readonly step: number;
  /** Epochs done so far. */
  readonly epoch: number;
}

/**
 * What a learning-rate schedule is to the Trainer: a host function of progress, and a little state for the one that
 * listens to a metric.
 */
export interface Scheduler {
  readonly name: string;
  /** Learning rate of a parameter group whose base rate is `base`, for the step that comes next. */
  rate(base: number, progress: ScheduleProgress): number;
  /** Metric that `observe` wants, or undefined. */
  readonly monitor: string | undefined;
  /** Called after each validation with the monitored metric. */
  observe(metric: number): void;
  /** What a checkpoint keeps. */
  state(): Readonly<Record<string, number>>;
  /** What is wrong with a state that this schedule could not have kept, or undefined. Absent: nothing is. */
  check?(state: Readonly<Record<string, number>>): string | undefined;
  /** Takes up what `state` gave. It was checked with `check` before. */
  restore(state: Readonly<Record<string, number>>): void;
}

/** A schedule that is a function of progress only. */
export class FunctionSchedule implements Scheduler {
  readonly monitor = undefined;

  constructor(
    readonly name: string,
    private readonly at: (base: number, position: number) => number,
    private readonly interval: 'step' | 'epoch' = 'step',
  ) {}

  rate(base: number, progress: ScheduleProgress): number {
    return this.at(base, progress[this.interval]);
  }

  observe(): void {}

  state(): Readonly<Record<string, number>> {
    return {};
  }

  restore(): void {}
}

/** No `sched` section: the base rate throughout. */
export const constantSchedule: Scheduler = new FunctionSchedule('constant', (base) => base);
