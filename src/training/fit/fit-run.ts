// Everything a fit in progress knows: the states (states.ts) act on it and callbacks see it as a
// TrainingRun. It decides nothing about order.
import type { Interval } from '../../config/index.js';
import type { Engine } from '../../engine/index.js';
import type { Batch, BatchSource, TrainableModel } from '../../model/index.js';
import type { Optimizer, Scheduler } from '../../optim/index.js';
import { CounterRandom } from '../../random/index.js';
import { type Callback, monitored, type Outcome, type StepReport } from '../callbacks/callback.js';
import { dataIdentity } from '../checkpoint/changes.js';
import type { CheckpointContent, CheckpointState, JsonValue } from '../checkpoint/content.js';
import { weightStates } from '../checkpoint/weights.js';
import type { FailingRun, NonfiniteHandler } from '../diagnosis/nonfinite.js';
import { describeSample, type Evaluation, evaluate } from '../evaluate.js';
import { type LogEntry, type MetricsLogger, writeEntry } from '../loggers/logger.js';
import { formatNumber, type ProgressView } from '../progress/progress-view.js';
import { Throughput } from '../progress/throughput.js';
import type { RunProgress } from '../run-progress.js';
import type { MicroStep, StepResult } from '../step.js';
import { accumulationAt, type TrainerOptions } from '../trainer-options.js';
import { BatchStream } from './batch-stream.js';
import type { FitPlan } from './plan.js';
import type { StepPrograms } from './step-programs.js';

/** Ready-made parts of a run. */
export interface FitParts {
  readonly model: TrainableModel;
  readonly engine: Engine;
  readonly options: TrainerOptions;
  readonly optimizer: Optimizer;
  readonly scheduler: Scheduler;
  readonly programs: StepPrograms;
  readonly plan: FitPlan;
  readonly source: BatchSource;
  readonly validation: readonly BatchSource[];
  readonly callbacks: readonly Callback[];
  readonly loggers: readonly MetricsLogger[];
  readonly view: ProgressView;
  readonly nonfinite: NonfiniteHandler;
  /** As YAML, for checkpoints. */
  readonly config: string;
  readonly progress: RunProgress;
  /** Metrics known so far. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of initial weights and dropout: the checkpoint's when resumed. */
  readonly seed: number;
  /** The checkpoint that the run goes on from. */
  readonly resumed: { readonly path: string; readonly state: CheckpointState } | undefined;
}

/** Decoded samples that go to the loggers after a validation. */
const SHOWN_SAMPLES = 5;

export class FitRun implements FailingRun {
  readonly model: TrainableModel;
  readonly engine: Engine;
  readonly options: TrainerOptions;
  readonly optimizer: Optimizer;
  readonly scheduler: Scheduler;
  readonly progress: RunProgress;
  readonly metrics: Record<string, number>;
  outcome: Outcome | undefined;
  private stream: BatchStream | undefined;
  private throughput: Throughput;
  private logged: { rows: number; values: number; texts: number } | undefined;
  /** What a logger could not take at this step. The run ends then; its next start writes them. */
  private readonly unlogged: LogEntry[];
  private failure: { readonly error: unknown } | undefined;
  private readonly startedAt = performance.now();
  private readonly secondsBefore: number;
  private readonly randomness: CounterRandom;

  constructor(readonly parts: FitParts) {
    this.model = parts.model;
    this.engine = parts.engine;
    this.options = parts.options;
    this.optimizer = parts.optimizer;
    this.scheduler = parts.scheduler;
    this.progress = parts.progress;
    this.metrics = { ...parts.metrics };
    const before = parts.resumed?.state;
    this.throughput = new Throughput(before?.interval);
    this.logged = before ? before.logged && { ...before.logged } : { rows: 0, values: 0, texts: 0 };
    this.unlogged = [...(before?.unlogged ?? [])];
    this.secondsBefore = parts.progress.seconds;
    this.randomness = new CounterRandom(parts.seed, 'step');
  }

  get totalSteps(): number | undefined {
    return this.parts.plan.totalSteps;
  }

  get validates(): boolean {
    return this.parts.plan.validates;
  }

  get resumedFrom(): string | undefined {
    return this.parts.resumed?.path;
  }

  get config(): string {
    return this.parts.config;
  }

  get seed(): number {
    return this.parts.seed;
  }

  get callbacks(): readonly Callback[] {
    return this.parts.callbacks;
  }

  learningRate(): number {
    const base = this.optimizer.groups[0]?.lr ?? 0;
    return this.scheduler.rate(base, this.progress);
  }

  stop(outcome: Outcome): void {
    this.outcome ??= outcome;
  }

  say(text: string): void {
    this.parts.view.say(text);
  }

  /** Opens the loggers where the run starts or goes on. */
  async startLoggers(): Promise<void> {
    for (const logger of this.parts.loggers) await logger.start(this.progress.step, this.logged);
    for (const entry of this.unlogged.splice(0)) await this.write(entry);
    this.throwFailure();
  }

  async log(metrics: Readonly<Record<string, number>>): Promise<void> {
    Object.assign(this.metrics, metrics);
    await this.write({ metrics });
  }

  /**
   * Tells all callbacks, also those after one that fails: what is saved when the run ends then has to be the state of
   * a whole step. `throwFailure` comes after it.
   */
  async tell(hook: (callback: Callback) => Promise<void>): Promise<void> {
    for (const callback of this.callbacks) await this.attempt(() => hook(callback));
  }

  /** The first of the failures that were put off. */
  throwFailure(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw failure.error;
  }

  /** Runs one optimizer step on `batches` and advances the progress, which says whether a validation is due. */
  async step(batches: readonly Batch[], waitSeconds: number): Promise<void> {
    const started = performance.now();
    const steps = batches.map((batch, i) => ({ batch, random: this.randomOf(this.progress.batches + i) }));
    const learningRate = this.learningRate();
    const [first] = this.optimizer.groups;
    const rate = (base: number) =>
      base === first?.lr ? learningRate : this.scheduler.rate(base, this.progress);
    const scalars = this.optimizer.scalars(this.progress.updates + 1, rate);
    const whole = accumulationAt(this.options, this.progress.epoch);
    const result = await this.parts.programs.run(steps, scalars, whole);
    this.parts.nonfinite.remember(result.gradNorm, result.loss);
    if (result.refused.length > 0) await this.parts.nonfinite.handle(this, result, this.counters(steps));
    if (result.empty.length > 0) await this.reportEmpty(result.empty);
    // Before anything of the step is saved: what goes on from there owes the validation that is due now.
    this.advance(batches, result);
    const report: StepReport = {
      ...result,
      learningRate,
      examples: batches.reduce((sum, batch) => sum + batch.size, 0),
      units: batches.reduce((sum, batch) => sum + batch.units, 0),
      seconds: (performance.now() - started) / 1000,
      waitSeconds,
    };
    this.throughput.add(report);
    await this.report(report);
    await this.tell((callback) => callback.onStep(this, report));
    this.throwFailure();
  }

  async validate(limit: Interval, label = ''): Promise<Evaluation> {
    const { validation: sources, view } = this.parts;
    const interrupted = () => this.outcome?.kind === 'interrupted';
    return evaluate(this.model, this.engine, sources, { prefix: 'val', limit, view, label, interrupted });
  }

  async validationBatch(): Promise<Batch | undefined> {
    if (!this.validates) return undefined;
    for (const source of this.parts.validation) {
      for await (const batch of source.epoch(0)) return batch;
    }
    return undefined;
  }

  /** Logs a validation and lets the schedule hear of it. */
  async reportValidation({ metrics, samples, seconds }: Evaluation): Promise<void> {
    await this.log({ ...metrics, validation_seconds: seconds });
    const text = samples.slice(0, SHOWN_SAMPLES).map(describeSample).join('\n\n');
    await this.write({ tag: 'samples', text });
    const values = Object.entries(metrics).map(([key, value]) => `${key} ${formatNumber(value)}`);
    this.say(`validation at step ${this.progress.step}: ${values.join(', ')} (${seconds.toFixed(1)} s)`);
    const { monitor } = this.scheduler;
    if (monitor === undefined) return;
    await this.attempt(async () => {
      this.scheduler.observe(monitored(this, monitor, 'optim.sched.monitor'));
    });
  }

  /** Batches of the next step; none at the end of the epoch. */
  async takeBatches(): Promise<Batch[]> {
    const { epoch, batch } = this.progress;
    const { source, plan } = this.parts;
    this.stream ??= new BatchStream(source, epoch, batch, plan.batchesIn(epoch) - batch);
    return this.stream.take(accumulationAt(this.options, epoch));
  }

  async closeStream(): Promise<void> {
    await this.stream?.close();
    this.stream = undefined;
  }

  tick(): void {
    this.progress.seconds = this.secondsBefore + (performance.now() - this.startedAt) / 1000;
  }

  async snapshot(): Promise<CheckpointContent> {
    this.tick();
    const states: Record<string, JsonValue> = {};
    for (const callback of this.callbacks) {
      const state = callback.state();
      if (state !== undefined) states[callback.name] = state;
    }
    const extra = this.callbacks
      .map((callback) => ({ name: callback.name, states: callback.tensors(this) }))
      .filter((group) => group.states.length > 0);
    return {
      state: {
        progress: { ...this.progress },
        seed: this.parts.seed,
        engine: this.engine.name,
        optimizer: {
          name: this.optimizer.name,
          groups: this.optimizer.groups.map((group) => group.name),
        },
        scheduler: { name: this.scheduler.name, state: this.scheduler.state() },
        callbacks: states,
        metrics: { ...this.metrics },
        interval: this.throughput.state(),
        ...(this.logged && { logged: { ...this.logged } }),
        ...(this.unlogged.length > 0 && { unlogged: [...this.unlogged] }),
        nonfinite: this.parts.nonfinite.state(),
        data: dataIdentity(this.parts.source, this.progress.epoch),
      },
      groups: [
        { name: 'weights', states: weightStates(this.model) },
        { name: 'optimizer', states: this.optimizer.slots },
        ...extra,
      ],
      config: this.parts.config,
      artifacts: await this.model.artifacts(),
    };
  }

  /** Hands an entry to the loggers, or keeps it once one of them has failed. */
  private async write(entry: LogEntry): Promise<void> {
    const { step } = this.progress;
    if (this.unlogged.length > 0) {
      this.unlogged.push(entry);
      return;
    }
    await this.attempt(async () => {
      this.unlogged.push(entry);
      for (const logger of this.parts.loggers) await writeEntry(logger, step, entry);
      this.unlogged.pop();
      this.count(entry);
    });
  }

  private count(entry: LogEntry): void {
    if (!this.logged) return;
    if ('text' in entry) {
      this.logged.texts++;
      return;
    }
    this.logged.rows++;
    this.logged.values += Object.keys(entry.metrics).length;
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.failure ??= { error };
    }
  }

  private advance(batches: readonly Batch[], result: StepResult): void {
    const before = { batch: this.progress.batch, batches: this.progress.batches };
    this.progress.batch += batches.length;
    this.progress.batches += batches.length;
    this.progress.examples += batches.reduce((sum, batch) => sum + batch.size, 0);
    this.progress.step++;
    if (result.committed) this.progress.updates++;
    this.progress.validationPending = this.parts.plan.validationDue(this.progress, before);
    this.logged = { rows: 0, values: 0, texts: 0 };
    this.tick();
  }

  /** Batches in which nothing counts are told and counted: the data may not be what it should. */
  private async reportEmpty(empty: readonly MicroStep[]): Promise<void> {
    this.progress.emptyBatches += empty.length;
    const { step, emptyBatches } = this.progress;
    const names = empty.flatMap(({ batch }) => batch.names).join(', ');
    this.say(
      `step ${step}: a batch whose loss weighs 0 changed nothing (${emptyBatches} so far); utterances: ${names}`,
    );
    await this.log({ empty_batches: emptyBatches });
  }

  private async report(report: StepReport): Promise<void> {
    const { step, epoch } = this.progress;
    const due = step % this.options.log_every_n_steps === 0;
    const rates = this.throughput.rates();
    const { stats } = this.engine;
    const left = this.totalSteps === undefined ? undefined : (this.totalSteps - step) * rates.stepSeconds;
    const rssBytes = process.memoryUsage.rss();
    this.parts.view.step(
      {
        step,
        totalSteps: this.totalSteps,
        epoch: epoch + 1,
        totalEpochs: this.parts.plan.epochs,
        ...rates,
        learningRate: report.learningRate,
        compilations: stats.compilations,
        compileSeconds: stats.compileSeconds,
        rssBytes,
        etaSeconds: left,
      },
      due,
    );
    if (!due) return;
    await this.log({
      train_loss: rates.loss,
      learning_rate: report.learningRate,
      grad_norm: report.gradNorm,
      epoch: epoch + this.progress.batch / Math.max(1, this.parts.plan.batchesIn(epoch)),
      examples_per_second: rates.examplesPerSecond,
      units_per_second: rates.unitsPerSecond,
      data_wait_share: rates.waitShare,
      compilations: stats.compilations,
      compile_seconds: stats.compileSeconds,
      rss_mb: rssBytes / 2 ** 20,
      ...prefixed('train_', report.logs),
      ...prefixed('data_', this.parts.source.gauges()),
    });
    this.throughput = new Throughput();
  }

  private randomOf(counter: number): CounterRandom {
    return this.randomness.derive(counter);
  }

  private counters(steps: readonly MicroStep[]): ReadonlyMap<MicroStep, number> {
    return new Map(steps.map((step, i) => [step, this.progress.batches + i]));
  }
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}${key}`, value]));
}
