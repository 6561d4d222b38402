// The weights of a checkpoint: loaded into an engine for evaluation, or state by state for a file of another format.
import { type Engine, type State, storedValues } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { TrainableModel } from '../../model/index.js';
import type { ReadState } from '../../nn/index.js';
import { applyTensors } from './apply.js';
import type { Checkpoint } from './reader.js';

/** Parameters and persistent buffers, in the model's order; of some models those alone that training may change. */
export function weightStates(model: TrainableModel): readonly State[] {
  return model.checkpointStates?.() ?? [...model.module.stateDict().values()];
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
    if (average) await engine.write(parameter, storedValues(average, parameter.dtype));
  }
}

/**
 * Reads weights without loading them into an engine first.
 * @param choice `auto`: averaged where kept
 * @param model what it does not keep in checkpoints stays as it is
 * @throws AnemoneError `checkpoint.no-ema`, `checkpoint.damaged`; the function: `checkpoint.mismatch`
 */
export async function checkpointValues(
  checkpoint: Checkpoint,
  choice: WeightChoice = 'auto',
  model?: TrainableModel,
): Promise<ReadState> {
  if (choice === 'ema' && !checkpoint.has('ema')) throw noAverage(checkpoint.path);
  const weights = await checkpoint.tensors('weights');
  const averages = choice !== 'raw' && checkpoint.has('ema') ? await checkpoint.tensors('ema') : undefined;
  const held = model?.checkpointStates && new Set(model.checkpointStates());
  return async (state: State) => {
    if (held && !held.has(state)) return undefined;
    const tensor = averages?.get(`ema/${state.name}`) ?? weights.get(state.name);
    if (tensor) return storedValues(tensor, state.dtype);
    throw new AnemoneError({
      code: 'checkpoint.mismatch',
      path: state.name,
      message: 'the checkpoint has no such tensor',
      position: { file: checkpoint.path },
    });
  };
}

export function noAverage(path: string): AnemoneError {
  return new AnemoneError({
    code: 'checkpoint.no-ema',
    message: 'this checkpoint holds no averaged weights',
    position: { file: path },
  });
}
