// Work that must happen on the host in the middle of a program (it cuts a compiled program in two).
import { overAddresses } from '../host-function.js';
import { currentScope, type HostFunction, type RawHostFunction } from '../scope.js';
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

/**
 * As `hostCall`, for functions of C: `fn` gets addresses and sizes, and no view is made of any memory (2 µs a call). In a
 * program compiled for ONNX Runtime's C API these are the memory of the graph, an output over its input where nobody else
 * reads that; elsewhere they are addresses of host copies, by koffi.
 * @throws AnemoneError `engine.host-call`, when it is run, for a status of `fn` that is not success, and without koffi
 */
export function rawHostCall(
  name: string,
  fn: RawHostFunction,
  inputs: Tensor[],
  outputs: readonly TensorSpec[],
): Tensor[] {
  return currentScope().hostCall(name, overAddresses(name, fn, outputs), inputs, outputs);
}
