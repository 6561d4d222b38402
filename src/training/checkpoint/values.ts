// A checkpoint's weights state by state, for writing them into a file of another format without loading them
// into an engine first.
import type { State } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { ReadState } from '../../nn/index.js';
import type { Checkpoint } from './reader.js';
import type { WeightChoice } from './restore.js';

/**
 * @param choice `auto`: averaged where kept
 * @throws AnemoneError `checkpoint.no-ema`, `checkpoint.damaged`; the function: `checkpoint.mismatch`
 */
export async function checkpointValues(
  checkpoint: Checkpoint,
  choice: WeightChoice = 'auto',
): Promise<ReadState> {
  if (choice === 'ema' && !checkpoint.has('ema')) throw noAverage(checkpoint.path);
  const weights = await checkpoint.tensors('weights');
  const averages = choice !== 'raw' && checkpoint.has('ema') ? await checkpoint.tensors('ema') : undefined;
  return async (state: State) => {
    const tensor = averages?.get(`ema/${state.name}`) ?? weights.get(state.name);
    if (tensor) return tensor.data as Float32Array | Int32Array;
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
