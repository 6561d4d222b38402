// From a cost per utterance to one number.
import { type Tensor, tf } from '../../engine/index.js';
import { type LossWeight, type WeightedLoss, weightedLoss } from '../../nn/index.js';

/**
 * `mean_batch`: mean over utterances. `mean`: mean of cost per target token. `mean_volume`: all costs over
 * all target tokens. `none`: the costs as they are.
 */
export type LossReduction = 'mean_batch' | 'mean' | 'mean_volume' | 'sum' | 'none';

/** costs [B], targetLengths int32 [B] → scalar ([B] for `none`). Empty targets count as one token in `mean`. */
export function reduceCosts(costs: Tensor, targetLengths: Tensor, reduction: LossReduction): Tensor {
  const tokens = tf.cast(targetLengths, 'float32');
  switch (reduction) {
    case 'none':
      return costs;
    case 'sum':
      return tf.sum(costs);
    case 'mean_batch':
      return tf.mean(costs);
    case 'mean':
      return tf.mean(tf.div(costs, tf.maximum(tokens, tf.scalar(1))));
    case 'mean_volume':
      return tf.div(tf.sum(costs), tf.maximum(tf.sum(tokens), tf.scalar(1)));
  }
}

/** The loss with what its sum was divided by. */
export function reducedLoss(costs: Tensor, targetLengths: Tensor, reduction: LossReduction): WeightedLoss {
  return weightedLoss(
    reduceCosts(costs, targetLengths, reduction),
    reductionWeight(targetLengths, reduction),
  );
}

/**
 * What a reduction divides by: utterances (those without a finite cost, too, as NeMo counts them), target tokens, or
 * nothing.
 */
export function reductionWeight(targetLengths: Tensor, reduction: LossReduction): LossWeight {
  switch (reduction) {
    case 'mean_batch':
    case 'mean':
      return 'examples';
    case 'mean_volume':
      return { unit: 'target_tokens', count: tf.sum(tf.cast(targetLengths, 'float32')) };
    case 'sum':
    case 'none':
      return 'undivided';
  }
}
