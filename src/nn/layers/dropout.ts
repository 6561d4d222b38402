// Inverted dropout (Srivastava et al. 2014). The gradient keeps the mask only.
import { bernoulliMask, keepWhere, type Tensor, tf } from '../../engine/index.js';
import type { Pass } from '../pass.js';
import { customGradient } from './custom-gradient.js';

/** In training, zeroes each element with `probability` and scales the others by 1/(1-probability). */
export function dropout(x: Tensor, probability: number, pass: Pass): Tensor {
  if (!pass.training || probability <= 0) return x;
  if (probability >= 1) return tf.mul(x, tf.scalar(0));
  const mask = bernoulliMask(x.shape, 1 - probability);
  const keep = (values: Tensor, keptMask: Tensor): Tensor =>
    keepWhere(keptMask, values, 1 / (1 - probability));
  return customGradient(
    [x],
    () => ({ value: keep(x, mask), saved: [mask] }),
    (dy, [mask]) => [keep(dy, mask)],
  );
}
