// Work that must happen on the host in the middle of a program (it cuts a compiled program in two).
import { currentScope, type HostFunction } from '../scope.js';
import type { TensorSpec } from '../tensors.js';
import type { Tensor } from '../tf.js';

/**
 * Calls `fn` with host copies of `inputs` and returns its results as tensors of the given specs.
 * Not differentiable: wrap it in `tf.customGrad` and let `fn` return gradients too. `name` appears in errors.
 */
export function hostCall(
  name: string,
  fn: HostFunction,
  inputs: Tensor[],
  outputs: readonly TensorSpec[],
): Tensor[] {
  return currentScope().hostCall(name, fn, inputs, outputs);
}
