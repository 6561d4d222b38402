// Going on from a checkpoint: what changed since is told, and one that turns out to be damaged is named and the one
// before it is used.
import { type Engine, storedType, typeStoredAs } from '../../engine/index.js';
import { AnemoneError, printable } from '../../errors/index.js';
import type { TrainableModel } from '../../model/index.js';
import type { Optimizer, Scheduler } from '../../optim/index.js';
import type { Callback } from '../callbacks/callback.js';
import { applyTensors } from '../checkpoint/apply.js';
import { changesSince, type RunIdentity } from '../checkpoint/changes.js';
import type { JsonValue } from '../checkpoint/content.js';
import { type Checkpoint, damaged } from '../checkpoint/reader.js';
import { restoreWeights, weightStates } from '../checkpoint/weights.js';

export interface Resumption {
  readonly now: RunIdentity;
  readonly parts: RestoredParts;
  readonly say: (text: string) => void;
}

/**
 * Restores the first of the checkpoints that is whole, and returns it; undefined when there are none.
 * @throws AnemoneError `checkpoint.damaged` of the last one, and whatever `changesSince` and `restoreRun` refuse
 */
export async function resume(
  checkpoints: readonly Checkpoint[],
  { now, parts, say }: Resumption,
): Promise<Checkpoint | undefined> {
  for (const [i, checkpoint] of checkpoints.entries()) {
    try {
      await checkpoint.verify();
      const changes = await changesSince(checkpoint, now);
      await orSaying(changes, say, () => restoreRun(checkpoint, parts));
      say(
        listed(
          `resumed from ${printable(checkpoint.path)} (step ${checkpoint.state.progress.step})`,
          changes,
        ),
      );
      return checkpoint;
    } catch (error) {
      const next = checkpoints[i + 1];
      const isDamaged = error instanceof AnemoneError && error.code === 'checkpoint.damaged';
      // Another seed would be another run's: the data is open already.
      if (!isDamaged || next?.state.seed !== checkpoint.state.seed) throw error;
      say(`${error.message}; ${printable(next.path)} is used`);
    }
  }
  return undefined;
}

/** Lines of differences that are shown. */
const MOST_LINES = 30;

function listed(head: string, changes: readonly string[]): string {
  if (changes.length === 0) return head;
  const moreCount = changes.length - MOST_LINES;
  const lines = changes.slice(0, MOST_LINES).map((change) => `  ${change}`);
  if (moreCount > 0) lines.push(`  and ${moreCount} more`);
  return [`${head}; changed since then:`, ...lines].join('\n');
}

/** What changed often says why a checkpoint does not fit. */
async function orSaying(
  changes: readonly string[],
  say: (text: string) => void,
  restore: () => Promise<void>,
): Promise<void> {
  try {
    await restore();
  } catch (error) {
    if (changes.length > 0) say(listed('the checkpoint cannot be used', changes));
    throw error;
  }
}

/** What a checkpoint is loaded into. */
export interface RestoredParts {
  readonly model: TrainableModel;
  readonly engine: Engine;
  readonly optimizer: Optimizer;
  readonly scheduler: Scheduler;
  readonly callbacks: readonly Callback[];
  /** Whether weights that are stored in other bits are taken over, rounded where they have to be. */
  readonly convertPrecision: boolean;
}

/**
 * Loads everything a fit goes on from. What can be seen to be wrong is, before anything is changed.
 * @throws AnemoneError `checkpoint.damaged`, `checkpoint.mismatch`, `checkpoint.optimizer`, `checkpoint.precision`
 */
export async function restoreRun(checkpoint: Checkpoint, run: RestoredParts): Promise<void> {
  const { state, path } = checkpoint;
  checkCallbacks(checkpoint, run.callbacks);
  if (state.optimizer.name !== run.optimizer.name) {
    throw new AnemoneError({
      code: 'checkpoint.optimizer',
      path: 'optim.name',
      message: `the checkpoint was made with ${state.optimizer.name}, the config says ${run.optimizer.name}`,
      position: { file: path },
      hint: 'train on from the weights alone, or keep the optimizer',
    });
  }
  if (state.scheduler.name === run.scheduler.name) {
    const problem = run.scheduler.check?.(state.scheduler.state);
    if (problem !== undefined) throw damaged(path, `the state of ${run.scheduler.name}: ${problem}`);
    run.scheduler.restore(state.scheduler.state);
  }
  if (!run.convertPrecision) await refuseOtherTypes(checkpoint, run);
  await restoreWeights(checkpoint, run.model, run.engine);
  await applyTensors(await checkpoint.tensors('optimizer'), run.optimizer.slots, run.engine, path);
  for (const callback of run.callbacks) {
    const ownState = stateOf(checkpoint, callback);
    if (ownState !== undefined) callback.restore(ownState);
    const states = callback.tensors(run);
    if (states.length > 0 && checkpoint.has(callback.name)) {
      await applyTensors(await checkpoint.tensors(callback.name), states, run.engine, path);
    }
  }
}

/** Rounding weights, or going on from rounded ones, is not what a resumed run is expected to do. */
async function refuseOtherTypes(checkpoint: Checkpoint, { model, optimizer }: RestoredParts): Promise<void> {
  const groups = [
    ['weights', weightStates(model)],
    ['optimizer', optimizer.slots],
  ] as const;
  for (const [group, states] of groups) {
    const tensors = await checkpoint.tensors(group);
    for (const { name, dtype } of states) {
      const stored = tensors.get(name)?.dtype;
      if (stored === undefined || stored === storedType(dtype)) continue;
      throw new AnemoneError({
        code: 'checkpoint.precision',
        path: 'trainer.precision',
        message: `the checkpoint holds ${name} in ${typeStoredAs(stored) ?? stored}, the run in ${dtype}`,
        position: { file: checkpoint.path },
        hint: 'keep the precision, or set trainer.convert_precision=true to go on with converted values',
      });
    }
  }
}

function stateOf({ state }: Checkpoint, { name }: Callback): JsonValue | undefined {
  return Object.hasOwn(state.callbacks, name) ? state.callbacks[name] : undefined;
}

function checkCallbacks(checkpoint: Checkpoint, callbacks: readonly Callback[]): void {
  for (const callback of callbacks) {
    const ownState = stateOf(checkpoint, callback);
    const problem = ownState === undefined ? undefined : callback.check(ownState, checkpoint);
    if (problem !== undefined) {
      throw damaged(checkpoint.path, `the state of ${callback.name}: ${problem}`);
    }
  }
}
