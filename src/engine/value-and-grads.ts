// Reverse-mode differentiation of a program's loss with respect to states (tfjs autodiff underneath).
import type { State } from './state.js';
import { type Tensor, tf } from './tf.js';

/**
 * Value of the scalar `loss()` and its gradient for each state, zeros where the loss does not depend on it.
 * Call inside a program.
 */
export function valueAndGrads(
  loss: () => Tensor,
  states: readonly State[],
): { value: Tensor; grads: Tensor[] } {
  const xs = states.map((state) => state.tensor());
  const { value, grads } = tf
    .engine()
    .gradients(() => loss() as tf.Tensor<tf.Rank>, xs as tf.Tensor[], undefined, true);
  return { value, grads: grads.map((grad, i) => grad ?? tf.zerosLike(xs[i])) };
}
