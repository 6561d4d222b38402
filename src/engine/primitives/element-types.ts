// Values of types that ops of tfjs do not know: how they come into a program, and become others.
import { runCustom } from '../autodiff/tape.js';
import { currentScope } from '../scope.js';
import { type DType, type HostTensor, standInOf } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';

/** The type of a tensor's elements. `Tensor.dtype` is the nearest that tfjs knows. Call inside a program. */
export function typeOf(x: Tensor): DType {
  return currentScope().typeOf(x);
}

/** A value of any type as a constant of the program. */
export function constant(value: HostTensor): Tensor {
  return currentScope().constant(value);
}

/**
 * The numbers of `x` as `dtype`: rounded to nearest, ties to even, between floats; cut towards zero from floats to integers.
 * The gradient goes through where both are floats.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  const scope = currentScope();
  const from = scope.typeOf(x);
  if (from === dtype) return x;
  const carries = standInOf(from) === 'float32' && standInOf(dtype) === 'float32';
  const [y] = runCustom([x], () => ({
    outputs: [scope.cast(x, dtype)],
    backward: ([dy]) => [carries ? currentScope().cast(dy, from) : tf.zeros(x.shape, 'float32')],
  }));
  return y;
}
