// A fit from its first batch to its last: take batches, run the step's program, advance, report, validate; callbacks save.
import type { Interval } from '../../config/index.js';
import { cancellable, isCancelled, nextTurn } from '../../engine/index.js';
import type { Batch } from '../../model/index.js';
import { monitored, type StepReport } from '../callbacks/callback.js';
import { describeSample, type Evaluation, evaluate } from '../evaluate.js';
import { formatNumber } from '../progress/progress-view.js';
import type { MicroStep } from '../step.js';
import type { StepBatches } from './batch-stream.js';
import type { FitRun } from './fit-run.js';
import { handleOverflow } from './overflow.js';

/** Decoded samples that go to the loggers after a validation. */
const SHOWN_SAMPLES = 5;

/** Trains until a limit, a callback or a signal ends the run. */
export async function trainLoop(run: FitRun): Promise<void> {
  if (run.isInterrupted) return;
  await sanityCheck(run);
  if (run.outcome) return;
  // A validation that a killed run owes is made up for.
  if (run.progress.validationPending) await validate(run);
  while (!run.isOver()) {
    const started = performance.now();
    const batches = await run.takeBatches();
    if (batches.count === 0) {
      await endEpoch(run);
      continue;
    }
    await trainStep(run, batches, secondsSince(started));
    await nextTurn();
    // A signal wants out now: a validation that is due stays so, and is made up for on resume.
    if (run.progress.validationPending && !run.isInterrupted) await validate(run);
  }
}

/** One optimizer step: loss, gradients, clipping and update are one program, or one for each accumulated batch and one more. */
async function trainStep(run: FitRun, taken: StepBatches, waitSeconds: number): Promise<void> {
  const { memory, programs, nonfinite, ranks } = run.parts;
  const { batches } = taken;
  const started = performance.now();
  const learningRate = run.learningRate();
  const microSteps = run.microSteps(taken);
  const wholeStep = run.stepSize();
  const scalars = run.optimizerScalars(learningRate);
  for (const batch of batches) memory.beforeBatch(batch);
  const result = await unlessCancelled(run, () =>
    programs.run([...microSteps.keys()], scalars, wholeStep).catch((error: unknown) => {
      const largest = largestOf(batches);
      throw largest ? memory.explained(error, largest) : error;
    }),
  );
  // Nothing has changed, and the batches are taken again on resume.
  if (!result) return;
  nonfinite.remember(result.gradNorm, result.loss);
  const { overflow } = result;
  if (overflow || result.refused.length > 0) {
    await ranks.together(async () => {
      if (overflow) await handleOverflow(run, result, overflow, microSteps);
      if (result.refused.length > 0) await nonfinite.handle(run, result, microSteps);
    }, 'a step that is not finite');
  }
  if (result.empty.length > 0) await reportEmpty(run, result.empty);
  // Before anything of the step is saved: what goes on from there owes the validation that is due now.
  run.advance(taken.count, result);
  const report: StepReport = {
    ...result,
    learningRate,
    seconds: secondsSince(started),
    waitSeconds,
    // Where nobody is told, nothing is counted.
    ...(run.parts.gemmRate !== undefined && {
      flops: programs.flopsOf([...microSteps.keys()], scalars, wholeStep),
    }),
  };
  await run.report(report);
  await run.tell((callback) => callback.onStep(run, report));
  run.throwFailure();
}

/** The batch of the most examples. */
function largestOf(batches: readonly Batch[]): Batch | undefined {
  return batches.reduce<Batch | undefined>(
    (largest, batch) => (largest && batch.size <= largest.size ? largest : batch),
    undefined,
  );
}

/** Batches in which nothing counts are told and counted: the data may not be what it should. */
async function reportEmpty(run: FitRun, empty: readonly MicroStep[]): Promise<void> {
  run.progress.emptyBatches += empty.length;
  const { step, emptyBatches } = run.progress;
  const names = empty.flatMap(({ batch }) => batch.names).join(', ');
  const { example = 'utterances' } = run.parts.source.names ?? {};
  const kind = example === 'utt' ? 'utterances' : example;
  run.say(
    `step ${step}: a batch whose loss weighs 0 changed nothing (${emptyBatches} so far); ${kind}: ${names}`,
  );
  await run.log({ 'train/empty_batches': emptyBatches });
}

async function validate(run: FitRun): Promise<void> {
  for (const callback of run.callbacks) await callback.onValidationStart(run);
  const evaluation = await unlessCancelled(run, () => evaluateOn(run, run.options.limit_val_batches));
  // Cut short by a signal: it stays due and is done on resume.
  run.agree();
  if (!evaluation || run.isInterrupted) return;
  run.progress.validationPending = false;
  await reportValidation(run, evaluation);
  await run.tell((callback) => callback.onValidationEnd(run, evaluation));
  run.throwFailure();
}

/** A few validation batches before training, so that what is broken there breaks now. */
async function sanityCheck(run: FitRun): Promise<void> {
  const { num_sanity_val_steps: wantedSteps } = run.options;
  if (run.validates && wantedSteps !== 0 && !run.parts.resumed) {
    const limit = wantedSteps < 0 ? { fraction: 1 } : { batches: wantedSteps };
    await unlessCancelled(run, () => evaluateOn(run, limit, 'sanity check of '));
    run.agree();
  }
  if (!run.outcome && !run.validates) run.progress.validationPending = false;
}

function evaluateOn(run: FitRun, limit: Interval, label = ''): Promise<Evaluation> {
  const { model, engine } = run;
  const { validation, view, ranks } = run.parts;
  const interrupted = () => run.isInterrupted || run.isAskedToEnd;
  return evaluate(model, engine, validation, { prefix: 'val', limit, view, label, interrupted, ranks });
}

/** What `fn` returns; undefined where the run's signal has ended it. */
async function unlessCancelled<R>(run: FitRun, fn: () => Promise<R>): Promise<R | undefined> {
  try {
    // One rank among several ends between steps, with the others.
    return await cancellable(run.parts.ranks.areSeveral ? undefined : run.parts.signal, fn);
  } catch (error) {
    if (isCancelled(error) && run.isInterrupted) return undefined;
    throw error;
  }
}

/** Logs a validation and lets the schedule hear of it. */
async function reportValidation(run: FitRun, { metrics, samples, seconds }: Evaluation): Promise<void> {
  await run.log({ ...metrics, 'val/seconds': seconds });
  await run.logText('samples', samples.slice(0, SHOWN_SAMPLES).map(describeSample).join('\n\n'));
  const values = Object.entries(metrics).map(([key, value]) => `${key} ${formatNumber(value)}`);
  run.say(`validation at step ${run.progress.step}: ${values.join(', ')} (${seconds.toFixed(1)} s)`);
  const { scheduler } = run;
  const { monitor } = scheduler;
  if (monitor === undefined) return;
  await run.attempt(async () => scheduler.observe(monitored(run, monitor, 'optim.sched.monitor')));
}

async function endEpoch(run: FitRun): Promise<void> {
  await run.closeStream();
  run.progress.epoch++;
  run.progress.batch = 0;
  run.tick();
  await run.tell((callback) => callback.onEpochEnd(run));
  run.throwFailure();
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000;
