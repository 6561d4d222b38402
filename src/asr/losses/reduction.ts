// From a cost per utterance to one number.
import { type Tensor, tf } from '../../engine/index.js';

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
