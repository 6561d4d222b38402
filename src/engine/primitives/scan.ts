// Loops inside a program: recurrences (LSTM) and dynamic programming (transducer lattice).
import { AnemoneError } from '../../errors/index.js';
import { currentScope, type ScanBody, type ScanResult } from '../scope.js';
import { type Tensor, tf } from '../tf.js';

/**
 * Runs `body` once per slice of `xs` along axis 0 (last slice first when `reverse`), carrying values.
 * `ys` are stacked so that ys[t] belongs to xs[t] in both directions. The body may use tensors from
 * outside. Not differentiable: call it inside `tf.customGrad`, in the forward and in the gradient function.
 */
export function scan(
  body: ScanBody,
  init: Tensor[],
  xs: Tensor[],
  options: { reverse?: boolean } = {},
): ScanResult {
  if (tapeIsOn()) {
    throw new AnemoneError({
      code: 'engine.scan-gradient',
      message: 'scan has no gradient of its own',
      hint: 'wrap it in tf.customGrad and give the gradient',
    });
  }
  return currentScope().scan(body, init, xs, options.reverse ?? false);
}

/** tfjs keeps this private; a recorded tape would silently see one iteration only. */
function tapeIsOn(): boolean {
  return (tf.engine() as unknown as { isTapeOn(): boolean }).isTapeOn();
}
