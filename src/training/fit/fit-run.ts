// A fit in progress: what the loop (loop.ts) acts on, and what callbacks see as a TrainingRun.
import type { HostTensor } from '../../engine/index.js';
import type { Batch } from '../../model/index.js';
import { CounterRandom } from '../../random/index.js';
import type { Callback, Outcome, StepReport } from '../callbacks/callback.js';
import type { CheckpointContent } from '../checkpoint/content.js';
import type { FailingRun } from '../diagnosis/nonfinite.js';
import type { MicroStep, StepResult } from '../step.js';
import { BatchStream, type StepBatches } from './batch-stream.js';
import { FirstFailure } from './first-failure.js';
import type { FitParts } from './fit-parts.js';
import { RunLog } from './run-log.js';
import { snapshot } from './snapshot.js';
import { StepMeter } from './step-meter.js';

export class FitRun implements FailingRun {
  readonly metrics: Record<string, number>;
  outcome: Outcome | undefined;
  private request: Outcome | undefined;
  private readonly failures = new FirstFailure();
  private readonly runLog: RunLog;
  private readonly meter: StepMeter;
  private readonly randomness: CounterRandom;
  private readonly startedAt = performance.now();
  private readonly secondsBefore: number;
  private stream: BatchStream | undefined;

  constructor(readonly parts: FitParts) {
    const before = parts.resumed?.state;
    this.metrics = { ...parts.metrics };
    this.runLog = new RunLog(parts.loggers, parts.progress, this.failures, before);
    this.meter = new StepMeter(parts, before?.interval);
    this.randomness = new CounterRandom(parts.seed, 'step');
    this.secondsBefore = parts.progress.seconds;
  }

  get model() {
    return this.parts.model;
  }

  get engine() {
    return this.parts.engine;
  }

  get options() {
    return this.parts.options;
  }

  get optimizer() {
    return this.parts.optimizer;
  }

  get scheduler() {
    return this.parts.scheduler;
  }

  get progress() {
    return this.parts.progress;
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

  get isInterrupted(): boolean {
    return this.outcome?.kind === 'interrupted';
  }

  /** Whether the run ends here; a limit that is reached becomes its outcome, and so does what another rank was asked for. */
  isOver(): boolean {
    this.agree();
    const reason = this.parts.plan.finished(this.progress);
    // All ranks have come as far.
    if (reason) this.outcome ??= { kind: 'finished', reason };
    return this.outcome !== undefined;
  }

  stop(outcome: Outcome): void {
    // Of several ranks all end at the same step: at the next one, when they have heard of it.
    if (this.parts.ranks.areSeveral) this.request ??= outcome;
    else this.outcome ??= outcome;
  }

  /** Takes over the first outcome that any rank was asked for. The time of the run is that of rank 0. */
  agree(): void {
    const { ranks, progress } = this.parts;
    if (!ranks.areSeveral) return;
    const all = ranks.exchange({ request: this.request, seconds: progress.seconds }, 'step of the run');
    progress.seconds = all[0].seconds;
    this.outcome ??= all.find(({ request }) => request)?.request;
  }

  /** Whether this rank is asked to end the run, and the others may not know. */
  get isAskedToEnd(): boolean {
    return this.request !== undefined;
  }

  say(text: string): void {
    this.parts.say(text);
  }

  startLoggers(): Promise<void> {
    return this.runLog.start();
  }

  async log(metrics: Readonly<Record<string, number>>): Promise<void> {
    Object.assign(this.metrics, metrics);
    await this.runLog.write({ metrics });
  }

  /** Logs metrics after the fit has ended and its loggers are closed, under its last step. */
  async logAfterwards(metrics: Readonly<Record<string, number>>): Promise<void> {
    await this.runLog.start();
    await this.log(metrics);
    for (const logger of this.parts.loggers) await logger.close();
    this.throwFailure();
  }

  logText(tag: string, text: string): Promise<void> {
    return this.runLog.write({ tag, text });
  }

  /**
   * Tells all callbacks, also those after one that fails: what is saved when the run ends then has to be the state of
   * a whole step. `throwFailure` comes after it.
   */
  async tell(hook: (callback: Callback) => Promise<void>): Promise<void> {
    for (const callback of this.callbacks) await this.attempt(() => hook(callback));
  }

  /** Puts off a failure until `throwFailure`. */
  attempt(act: () => Promise<void>): Promise<void> {
    return this.failures.attempt(act);
  }

  /** The first of the failures that were put off. */
  throwFailure(): void {
    this.failures.throw();
  }

  /** Batches of the next step; none at the end of the epoch. */
  async takeBatches(): Promise<StepBatches> {
    const { epoch, batch } = this.progress;
    const { source, plan, ranks } = this.parts;
    const perStep = this.stepSize();
    // Steps that have grown are taken from another row of batches, whose ranks share them otherwise.
    if (this.stream && this.stream.perStep !== perStep) await this.closeStream();
    this.stream ??= new BatchStream(source, epoch, batch, plan.batchesIn(epoch) - batch, perStep, ranks);
    return this.stream.take();
  }

  /** Batches of the step to come where the epoch does not end in it. */
  stepSize(): number {
    return this.parts.sizes.at(this.progress);
  }

  async closeStream(): Promise<void> {
    await this.stream?.close();
    this.stream = undefined;
  }

  /** Batches with the keys of their dropout streams, and the counter of each. */
  microSteps({ batches, offset }: StepBatches): ReadonlyMap<MicroStep, number> {
    const first = this.progress.batches + offset;
    return new Map(
      batches.map((batch, i) => [{ batch, random: this.randomness.derive(first + i) }, first + i]),
    );
  }

  /** Of the first group of parameters, in the step to come. */
  learningRate(): number {
    return this.scheduler.rate(this.optimizer.groups[0]?.lr ?? 0, this.progress);
  }

  /** What the optimizer needs to know of the step to come. */
  optimizerScalars(learningRate: number): HostTensor {
    const [first] = this.optimizer.groups;
    const rate = (base: number) =>
      base === first?.lr ? learningRate : this.scheduler.rate(base, this.progress);
    return this.optimizer.scalars(this.progress.updates + 1, rate);
  }

  /** Counts a step; the progress then says whether a validation is due. */
  advance(count: number, { committed, examples, units }: StepResult): void {
    const { progress, plan } = this.parts;
    const before = { batch: progress.batch, batches: progress.batches };
    progress.batch += count;
    progress.batches += count;
    progress.examples += examples;
    progress.units += units;
    progress.step++;
    if (committed) progress.updates++;
    progress.validationPending = plan.validationDue(progress, before);
    this.runLog.nextStep();
    this.tick();
  }

  /** Shows a step, and logs a row when one is due. */
  async report(report: StepReport): Promise<void> {
    this.meter.add(report);
    const due = this.progress.step % this.options.log_every_n_steps === 0;
    const status = this.meter.status(report);
    this.parts.view.step(status, due);
    if (due) await this.log(this.meter.row(report, status));
  }

  async validationBatch(): Promise<Batch | undefined> {
    if (!this.validates) return undefined;
    for (const source of this.parts.validation) {
      for await (const batch of source.epoch(0)) return batch;
    }
    return undefined;
  }

  /** Keeps the time that the run has taken. */
  tick(): void {
    this.progress.seconds = this.secondsBefore + (performance.now() - this.startedAt) / 1000;
  }

  snapshot(): Promise<CheckpointContent> {
    this.tick();
    return snapshot(this.parts, {
      progress: { ...this.progress },
      metrics: { ...this.metrics },
      interval: this.meter.state(),
      ...this.runLog.state(),
      nonfinite: this.parts.nonfinite.state(),
    });
  }
}

export function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
