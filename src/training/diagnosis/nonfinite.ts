// What happens when a step's loss or gradient is not finite: skip it and count, or explain it, write it
// down for replay and stop. The weights are those of before the step either way.
import { join } from 'node:path';
import { AnemoneError } from '../../errors/index.js';
import type { TrainingRun } from '../callbacks/callback.js';
import type { NonfiniteState } from '../checkpoint/content.js';
import { freeFolder } from '../checkpoint/folder.js';
import type { MicroStep, StepResult } from '../step.js';
import { likelyCauses } from './causes.js';
import { type Diagnosis, diagnose } from './diagnose.js';
import { DUMP_PREFIX, type StepRecord, writeDump } from './dump.js';
import { describeFirst, explain } from './explanation.js';

/** What is asked of a run whose step was not finite. */
export interface FailingRun extends TrainingRun {
  /** As YAML. */
  readonly config: string;
  /** Seed of initial weights and dropout. */
  readonly seed: number;
  /** Learning rate of the step. */
  learningRate(): number;
}

/** Gradient norms that are remembered. */
const HISTORY = 16;

export class NonfiniteHandler {
  private norms: number[] = [];
  private skipped = 0;

  constructor(
    private readonly mode: 'stop' | 'skip',
    /** The folder that dumps go to. */
    private readonly folder: string,
  ) {}

  /** What a checkpoint keeps. */
  state(): NonfiniteState {
    return { skipped: this.skipped, norms: [...this.norms] };
  }

  restore({ skipped, norms }: NonfiniteState): void {
    this.skipped = skipped;
    this.norms = [...norms];
  }

  /** Called after every step. */
  remember(gradNorm: number, loss: number): void {
    if (!Number.isFinite(gradNorm) || !Number.isFinite(loss)) return;
    this.norms.push(gradNorm);
    if (this.norms.length > HISTORY) this.norms.shift();
  }

  /**
   * @param counters the dropout counter of each batch of the step
   * @throws AnemoneError `training.nonfinite` in mode `stop`
   */
  async handle(run: FailingRun, result: StepResult, counters: ReadonlyMap<MicroStep, number>): Promise<void> {
    if (this.mode === 'skip') {
      this.skipped++;
      const names = result.refused.flatMap(({ batch }) => batch.names).join(', ');
      const what = `loss ${result.loss}, gradient norm ${result.gradNorm}`;
      run.say(`step ${run.progress.step} skipped (${this.skipped} so far): ${what}; utterances: ${names}`);
      await run.log({ 'train/skipped_steps': this.skipped });
      return;
    }
    // The rank that has the first of them explains it.
    if (result.refused[0].rank !== undefined) return;
    throw await this.explained(run, result, counters);
  }

  /**
   * A step that changed nothing, as the error that ends the run; it is written down for replay.
   * @param hint what to do
   */
  async explained(
    run: FailingRun,
    result: StepResult,
    counters: ReadonlyMap<MicroStep, number>,
    hint = 'fix the cause and resume; trainer.nonfinite=skip drops such steps instead',
  ): Promise<AnemoneError> {
    const lossScale = result.overflow?.scale ?? result.logs['loss_scale'];
    const ownSteps = (result.overflow?.steps ?? result.refused).filter(({ rank }) => rank === undefined);
    const { step, diagnosis } = await this.locate(run, ownSteps, lossScale);
    const counter = counters.get(step) ?? run.progress.batches;
    const record = { ...this.record(run, result, step, diagnosis, counter), ...(lossScale && { lossScale }) };
    const text = explain(record, diagnosis);
    const target = await freeFolder(this.folder, `${DUMP_PREFIX}${record.step}`);
    const savedFolder = await writeDump(target, {
      record,
      inputs: step.batch.inputs,
      model: run.model,
      engine: run.engine,
      config: run.config,
      text,
    }).then(
      () => `written for replay: anemone replay ${target}`,
      (error: unknown) =>
        `could not be written for replay: ${error instanceof Error ? error.message : String(error)}`,
    );
    const [what, ...more] = text.split('\n');
    return new AnemoneError({
      code: 'training.nonfinite',
      message: `training stopped before the update: ${what}`,
      lines: [...more, `  the batch and the weights are ${savedFolder}`],
      hint,
      details: { step: record.step, dump: target, first: describeFirst(diagnosis) },
    });
  }

  /** The first refused batch that shows something when repeated, else the first. */
  private async locate(
    run: FailingRun,
    refusedSteps: readonly MicroStep[],
    lossScale: number | undefined,
  ): Promise<{ step: MicroStep; diagnosis: Diagnosis }> {
    let fallback: { step: MicroStep; diagnosis: Diagnosis } | undefined;
    for (const step of refusedSteps) {
      const diagnosis = await diagnose(run.model, run.engine, step.batch.inputs, step.random, lossScale);
      if (diagnosis.first) return { step, diagnosis };
      fallback ??= { step, diagnosis };
    }
    return fallback as { step: MicroStep; diagnosis: Diagnosis };
  }

  private record(
    run: FailingRun,
    { loss, gradNorm }: StepResult,
    { batch }: MicroStep,
    diagnosis: Diagnosis,
    counter: number,
  ): StepRecord {
    const learningRate = run.learningRate();
    const { gradient_clip_val: limit } = run.options;
    const { seed } = run;
    const facts = {
      step: run.progress.step,
      epoch: run.progress.epoch,
      loss,
      gradNorm,
      learningRate,
      names: batch.names,
      gradNorms: [...this.norms],
      scheduler: run.scheduler.name,
      clipped: limit !== null && limit > 0,
    };
    const { precision } = run.options;
    const causes = likelyCauses({ ...facts, precision, diagnosis, inputs: batch.inputs, texts: batch.texts });
    const texts = batch.texts ?? null;
    return { ...facts, causes, seed, counter, texts, engine: run.engine.name, precision };
  }
}

/** For a caller that only needs the place of dumps. */
export function dumpFolder(logFolder: string | undefined): string {
  return join(logFolder ?? '.', 'diagnosis');
}
