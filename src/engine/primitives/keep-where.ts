// What dropout and the gradients of rectifiers do to a tensor, in one pass over it.
import { type Tensor, tf } from '../tf.js';
import { later } from './after.js';

/**
 * `x` where `mask` is true, times `scale`, and zero elsewhere. x [...] of finite numbers, mask bool of the same shape. A product
 * with zeros and ones: ONNX Runtime's selection of one of two tensors takes three passes and two tensors beside.
 */
export function keepWhere(mask: Tensor, x: Tensor, scale = 1): Tensor {
  // The mask becomes numbers when x is known: these are four times as large, and would wait for it.
  const kept = tf.cast(later(mask, [x]), 'float32');
  return tf.mul(x, scale === 1 ? kept : tf.mul(kept, tf.scalar(scale)));
}
