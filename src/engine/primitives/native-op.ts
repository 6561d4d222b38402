// Operators that ONNX Runtime has a kernel for and tfjs has no op for: one node instead of a formula of many.

import { AnemoneError } from '../../errors/index.js';
import { runCustom } from '../autodiff/tape.js';
import { twins } from '../operators/twins.js';
import { currentScope, type NativeAttributes, type Twin } from '../scope.js';
import type { TensorSpec } from '../tensors.js';
import type { Tensor } from '../tf.js';

/** What else a native operator needs to be known of. */
export interface NativeOptions {
  /** The domain of the operator. Default: '', that of ONNX itself. `com.microsoft` is that of ONNX Runtime. */
  readonly domain?: string;
  /** What the operator computes, in ops of tfjs. Default: the formula that this library has for it. */
  readonly twin?: Twin;
}

/**
 * The outputs of one operator of ONNX Runtime, in a compiled program for a provider that has a kernel for it; else those of
 * its twin, which eager engines and other providers compute instead. An input that is `undefined` is an optional one
 * that is left out. It has no gradient: use it inside `tf.customGrad`, or the functions of this library that do.
 * @throws AnemoneError `engine.native-op` for an operator without twin
 */
export function nativeOp(
  op: string,
  inputs: readonly (Tensor | undefined)[],
  outputs: readonly TensorSpec[],
  attributes: NativeAttributes = {},
  { domain = '', twin = twins.get(domain ? `${domain}.${op}` : op) }: NativeOptions = {},
): Tensor[] {
  if (!twin) throw withoutTwin(op, domain);
  const given = inputs.filter((x) => x !== undefined);
  const call = { op, domain, inputs, outputs, attributes, twin };
  return runCustom(given, () => ({
    outputs: currentScope().nativeOp(call),
    backward: () => {
      throw new AnemoneError({
        code: 'engine.native-gradient',
        path: op,
        message: 'a native operator has no gradient of its own',
        hint: 'wrap it in tf.customGrad and give the gradient',
      });
    },
  }));
}

function withoutTwin(op: string, domain: string): AnemoneError {
  return new AnemoneError({
    code: 'engine.native-op',
    path: op,
    message: `there is no formula for the operator ${op}${domain ? ` of ${domain}` : ''}`,
    hint: 'give one as option `twin`: engines without a kernel compute it',
  });
}
