// From a checkpoint back to a running state: weights alone, or everything a fit goes on from.
import type { Engine, State } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { TrainableModel } from '../../nn/index.js';
import type { Optimizer, Scheduler } from '../../optim/index.js';
import type { Callback, JsonValue } from '../callbacks/callback.js';
import { applyTensors } from './apply.js';
import { type Checkpoint, damaged } from './reader.js';
import { noAverage } from './values.js';

/** Parameters and persistent buffers, in the model's order. */
export function weightStates(model: TrainableModel): readonly State[] {
  return [...model.module.stateDict().values()];
}

/** `ema`: averaged weights, which the run must have kept; `auto`: averaged where kept. */
export type WeightChoice = 'auto' | 'raw' | 'ema';

/** Loads weights for evaluation. @throws AnemoneError `checkpoint.mismatch`, `checkpoint.no-ema` */
export async function restoreWeights(
  checkpoint: Checkpoint,
  model: TrainableModel,
  engine: Engine,
  choice: WeightChoice = 'raw',
): Promise<void> {
  await applyTensors(await checkpoint.tensors('weights'), weightStates(model), engine, checkpoint.path);
  if (choice === 'raw') return;
  if (!checkpoint.has('ema')) {
    if (choice === 'auto') return;
    throw noAverage(checkpoint.path);
  }
  const averages = await checkpoint.tensors('ema');
  for (const parameter of model.module.parameters()) {
    const average = averages.get(`ema/${parameter.name}`);
    if (average) await engine.write(parameter, average.data as Float32Array);
  }
}

/** What a checkpoint is loaded into. */
export interface RestoredParts {
  readonly model: TrainableModel;
  readonly engine: Engine;
  readonly optimizer: Optimizer;
  readonly scheduler: Scheduler;
  readonly callbacks: readonly Callback[];
}

/**
 * Loads everything a fit goes on from. What can be seen to be wrong is, before anything is changed.
 * @throws AnemoneError `checkpoint.damaged`, `checkpoint.mismatch`, `checkpoint.optimizer`
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
  await restoreWeights(checkpoint, run.model, run.engine);
  await applyTensors(await checkpoint.tensors('optimizer'), run.optimizer.slots, run.engine, path);
  for (const callback of run.callbacks) {
    const own = stateOf(checkpoint, callback);
    if (own !== undefined) callback.restore(own);
    const states = callback.tensors(run);
    if (states.length > 0 && checkpoint.has(callback.name)) {
      await applyTensors(await checkpoint.tensors(callback.name), states, run.engine, path);
    }
  }
}

function stateOf({ state }: Checkpoint, { name }: Callback): JsonValue | undefined {
  return Object.hasOwn(state.callbacks, name) ? state.callbacks[name] : undefined;
}

function checkCallbacks(checkpoint: Checkpoint, callbacks: readonly Callback[]): void {
  for (const callback of callbacks) {
    const own = stateOf(checkpoint, callback);
    const problem = own === undefined ? undefined : callback.check(own, checkpoint);
    if (problem !== undefined) {
      throw damaged(checkpoint.path, `the state of ${callback.name}: ${problem}`);
    }
  }
}
