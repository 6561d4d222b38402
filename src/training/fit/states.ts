// The fit as a state machine: each state does its work and returns the next one; undefined ends the fit.
//
//   sanity ─▶ start ─▶ step ─▶ (validate ─▶) step … ─▶ epoch end ─▶ start …
import type { FitRun } from './fit-run.js';

export interface FitState {
  readonly name: string;
  next(run: FitRun): Promise<FitState | undefined>;
}

/** A few validation batches before training, so that what is broken there breaks now. */
const sanity: FitState = {
  name: 'sanity',
  async next(run) {
    const wanted = run.options.num_sanity_val_steps;
    if (run.validates && wanted !== 0 && !run.parts.resumed) {
      const limit = wanted < 0 ? { fraction: 1 } : { batches: wanted };
      await run.validate(limit, 'sanity check of ');
    }
    if (run.outcome) return undefined;
    if (!run.validates) run.progress.validationPending = false;
    return run.progress.validationPending ? validate : start;
  },
};

/** Between epochs. */
const start: FitState = {
  name: 'start',
  async next(run) {
    return unlessOver(run, step);
  },
};

const step: FitState = {
  name: 'step',
  async next(run) {
    const started = performance.now();
    const batches = await run.takeBatches();
    if (batches.length === 0) return epochEnd;
    await run.step(batches, (performance.now() - started) / 1000);
    // A signal wants out now: a validation that is due is made up for on resume.
    if (run.outcome?.kind === 'interrupted') return undefined;
    return run.progress.validationPending ? validate : unlessOver(run, step);
  },
};

const validate: FitState = {
  name: 'validate',
  async next(run) {
    for (const callback of run.callbacks) await callback.onValidationStart(run);
    const report = await run.validate(run.options.limit_val_batches);
    // Cut short by a signal: it stays due and is done on resume.
    if (run.outcome?.kind === 'interrupted') return undefined;
    run.progress.validationPending = false;
    await run.reportValidation(report);
    await run.tell((callback) => callback.onValidationEnd(run, report));
    run.throwFailure();
    return unlessOver(run, step);
  },
};

const epochEnd: FitState = {
  name: 'epoch-end',
  async next(run) {
    await run.closeStream();
    run.progress.epoch++;
    run.progress.batch = 0;
    run.tick();
    await run.tell((callback) => callback.onEpochEnd(run));
    run.throwFailure();
    return start;
  },
};

export const firstState: FitState = sanity;

function unlessOver(run: FitRun, next: FitState): FitState | undefined {
  const reason = run.parts.plan.finished(run.progress);
  if (reason) run.stop({ kind: 'finished', reason });
  return run.outcome ? undefined : next;
}
