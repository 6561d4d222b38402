// Runs the host function of a host call, for every engine alike: what it throws and what does not fit becomes an error that
// names the call.
import { AnemoneError } from '../errors/index.js';
import type { HostFunction } from './scope.js';
import { bytesOf, type HostTensor, sizeOf, type TensorSpec } from './tensors.js';

export interface HostFunctionCall {
  /** For messages. */
  readonly name: string;
  readonly fn: HostFunction;
  readonly outputs: readonly TensorSpec[];
}

/** @throws AnemoneError `engine.host-call`, or what the function itself throws of that class */
export function callHost({ name, fn, outputs }: HostFunctionCall, inputs: HostTensor[]): HostTensor[] {
  let results: readonly (HostTensor | undefined)[];
  try {
    results = fn(inputs);
  } catch (cause) {
    if (cause instanceof AnemoneError) throw cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    throw misfit(name, `the host function failed: ${text}`, cause);
  }
  return outputs.map(({ dtype, shape }, i) => {
    const data = results[i]?.data;
    const size = sizeOf(shape);
    if (data && data.length === size && data.byteLength === bytesOf(dtype, size))
      return { dtype, shape, data };
    const givenText = data ? `${data.length} values in ${data.byteLength} bytes` : 'nothing';
    throw misfit(name, `output ${i} of the host function is ${givenText}; ${size} of ${dtype} are expected`);
  });
}

function misfit(name: string, message: string, cause?: unknown): AnemoneError {
  return new AnemoneError({ code: 'engine.host-call', path: name, message, cause });
}
