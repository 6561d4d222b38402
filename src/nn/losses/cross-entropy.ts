// Cross-entropy over the tokens of a batch with label smoothing (Szegedy et al. 2016), the mean over tokens: NeMo's
// SmoothedCrossEntropyLoss.
import { type Tensor, tf } from '../../engine/index.js';

export interface SmoothedCrossEntropyOptions {
  /** Share of the target that is spread over all classes. */
  readonly labelSmoothing: number;
  /** Keeps the mean of no tokens finite. Default 1e-6. */
  readonly epsilon?: number;
}

/** logProbs [B,U,V], labels int32 [B,U], mask [B,U] with 1 for the tokens that count → scalar. */
export function smoothedCrossEntropy(
  logProbs: Tensor,
  labels: Tensor,
  mask: Tensor,
  { labelSmoothing, epsilon = 1e-6 }: SmoothedCrossEntropyOptions,
): Tensor {
  const [, , classes] = logProbs.shape;
  const smoothing = (classes * labelSmoothing) / (classes - 1);
  const oneHot = tf.cast(
    tf.equal(tf.expandDims(labels, 2), tf.reshape(tf.range(0, classes, 1, 'int32'), [1, 1, classes])),
    'float32',
  );
  const target = tf.sum(tf.mul(logProbs, oneHot), 2);
  const likelihood =
    smoothing === 0
      ? target
      : tf.add(tf.mul(target, tf.scalar(1 - smoothing)), tf.mul(tf.mean(logProbs, 2), tf.scalar(smoothing)));
  const total = tf.sum(tf.mul(likelihood, mask));
  return tf.neg(tf.div(total, tf.add(tf.sum(mask), tf.scalar(epsilon))));
}
