// Gradient clipping, by common norm or by value, as `trainer.gradient_clip_algorithm` chooses.
import { type Tensor, tf } from '../engine/index.js';
import { squaredNorm } from './update-rule.js';

/** ‖g‖₂ over all gradients together, a scalar. */
export function globalNorm(grads: readonly Tensor[]): Tensor {
  if (grads.length === 0) return tf.scalar(0);
  return tf.sqrt(tf.sum(tf.stack(grads.map(squaredNorm))));
}

/**
 * Scales all gradients by min(1, limit / (norm + 1e-6)), as PyTorch's `clip_grad_norm_`.
 * `norm` is the common norm, computed by the caller who also reports it.
 */
export function clipByNorm(grads: readonly Tensor[], norm: Tensor, limit: number): Tensor[] {
  const factor = tf.minimum(tf.div(limit, tf.add(norm, 1e-6)), 1);
  return grads.map((grad) => tf.mul(grad, factor));
}

/** Limits every element to [-limit, limit]. */
export function clipByValue(grads: readonly Tensor[], limit: number): Tensor[] {
  return grads.map((grad) => tf.clipByValue(grad, -limit, limit));
}
