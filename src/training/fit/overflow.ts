// What happens when gradients overflow float16: the step has changed nothing, and the next is made with a smaller loss scale; one
// that cannot shrink any more ends the run, for it is not the scale that overflows.
import type { MicroStep, Overflow, StepResult } from '../step.js';
import type { FitRun } from './fit-run.js';

/** @throws AnemoneError `training.nonfinite`, which names the first layer that overflows, at the least scale */
export async function handleOverflow(
  run: FitRun,
  result: StepResult,
  { scale, next, skipped, isLast }: Overflow,
  counters: ReadonlyMap<MicroStep, number>,
): Promise<void> {
  if (isLast) {
    // The rank that has the first of the batches explains it.
    if (result.overflow?.steps[0]?.rank !== undefined) return;
    const hint = `the loss scale has shrunk to ${scale} and it still overflows: use precision bf16-mixed or 32, or fix the named layer`;
    throw await run.parts.nonfinite.explained(run, result, counters, hint);
  }
  const change = next === scale ? 'which stays' : `the next is ${next}`;
  run.say(
    `step ${run.progress.step} skipped (${skipped} so far): gradients overflowed at loss scale ${scale}; ${change}`,
  );
  await run.log({ 'train/skipped_steps': skipped });
}
