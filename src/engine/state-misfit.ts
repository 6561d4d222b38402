// What cannot be assigned to a state.
import { AnemoneError } from '../errors/index.js';
import type { ProgramState } from './scope.js';
import type { DType } from './tensors.js';

/** @throws AnemoneError `engine.state-shape`, `engine.state-type` */
export function checkAssigned(state: ProgramState, shape: readonly number[], dtype: DType): void {
  if (shape.join() !== state.shape.join()) {
    throw new AnemoneError({
      code: 'engine.state-shape',
      path: state.name,
      message: `cannot assign shape [${shape}] to a state of shape [${state.shape}]`,
    });
  }
  if (dtype === state.dtype) return;
  throw new AnemoneError({
    code: 'engine.state-type',
    path: state.name,
    message: `cannot assign values of ${dtype} to a state of ${state.dtype}`,
    hint: `cast(x, '${state.dtype}')`,
  });
}
