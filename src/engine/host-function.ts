// Runs the host function of a host call, for every engine alike: what it throws and what does not fit becomes an error that
// names the call.
import { AnemoneError } from '../errors/index.js';
import { koffi } from './native/koffi.js';
import type { HostFunction, RawHostFunction, RawTensor } from './scope.js';
import { allocate, bytesOf, type HostTensor, sizeOf, type TensorSpec } from './tensors.js';

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
    throw hostFailure(name, cause);
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

/** A host function of one that works on addresses: those of its inputs' data, and of new memory. */
export function overAddresses(
  name: string,
  raw: RawHostFunction,
  outputs: readonly TensorSpec[],
): HostFunction {
  const onHost = (inputs: HostTensor[]): HostTensor[] => {
    const native = koffi();
    if (!native) {
      const package_ = `@koromix/koffi-${process.platform}-${process.arch}`;
      throw misfit(name, `the function takes addresses, which need ${package_}, and that is not installed`);
    }
    const addressed = ({ dtype, shape, data }: HostTensor): RawTensor => ({
      dtype,
      shape,
      address: data.byteLength === 0 ? 0n : native.address(data),
      bytes: data.byteLength,
    });
    const results = outputs.map(({ dtype, shape }): HostTensor => {
      return { dtype, shape, data: allocate(dtype, sizeOf(shape)) };
    });
    callRaw(name, raw, inputs.map(addressed), results.map(addressed));
    return results;
  };
  return Object.assign(onHost, { raw });
}

/** @throws AnemoneError `engine.host-call` for a status that is not success */
export function callRaw(
  name: string,
  raw: RawHostFunction,
  inputs: readonly RawTensor[],
  outputs: readonly RawTensor[],
): void {
  const status = raw(inputs, outputs) ?? 0;
  if (status === 0 || status === '') return;
  const text = typeof status === 'number' ? `the host function returned status ${status}` : status;
  throw misfit(name, text);
}

/** What a host function has thrown, as an error that names the call. */
export function hostFailure(name: string, cause: unknown): AnemoneError {
  if (cause instanceof AnemoneError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return misfit(name, `the host function failed: ${text}`, cause);
}

function misfit(name: string, message: string, cause?: unknown): AnemoneError {
  return new AnemoneError({ code: 'engine.host-call', path: name, message, cause });
}
