// From a checkpoint back to a running state: weights alone, or everything a fit goes on from.
import type { Engine, State } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { TrainableModel } from '../../nn/index.js';
import type { Optimizer, Scheduler } from '../../optim/index.js';
import type { Callback } from '../callbacks/callback.js';
import { applyTensors } from './apply.js';
import type { Checkpoint } from './reader.js';
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

/** Loads everything a fit goes on from. @throws AnemoneError `checkpoint.mismatch`, `checkpoint.optimizer` */
export async function restoreRun(
  checkpoint: Checkpoint,
  run: {
    readonly model: TrainableModel;
    readonly engine: Engine;
    readonly optimizer: Optimizer;
    readonly scheduler: Scheduler;
    readonly callbacks: readonly Callback[];
  },
): Promise<void> {
  const { state, path } = checkpoint;
  await restoreWeights(checkpoint, run.model, run.engine);
  if (state.optimizer.name !== run.optimizer.name) {
    throw new AnemoneError({
      code: 'checkpoint.optimizer',
      path: 'optim.name',
      message: `the checkpoint was made with ${state.optimizer.name}, the config says ${run.optimizer.name}`,
      position: { file: path },
      hint: 'train on from the weights alone, or keep the optimizer',
    });
  }
  await applyTensors(await checkpoint.tensors('optimizer'), run.optimizer.slots, run.engine, path);
  if (state.scheduler.name === run.scheduler.name) run.scheduler.restore(state.scheduler.state);
  for (const callback of run.callbacks) {
    if (callback.name in state.callbacks) callback.restore(state.callbacks[callback.name]);
    const states = callback.tensors(run);
    if (states.length > 0 && checkpoint.has(callback.name)) {
      await applyTensors(await checkpoint.tensors(callback.name), states, run.engine, path);
    }
  }
}
