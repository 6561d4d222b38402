// How far a batch really goes. A batch is padded to one of few shapes, for each shape is compiled; the frames that this
// adds must not be seen by what counts frames or averages over them (norms, pools, stacking), nor by convolutions.
import { type Tensor, tf } from '../engine/index.js';
import type { Pass } from './pass.js';

/** The frames of x [B,T,...] that are the batch's own, its utterances' common padding included: the first of the T. */
export interface Extent {
  /** How many, int32 [1]. */
  readonly frames: Tensor;
  /** 1 for them and 0 for those after, [1,T,1]. */
  readonly mask: Tensor;
  /** Weights of a mean over them, [1,T,1]. */
  readonly share: Tensor;
  /** Weights of a mean over them in all items, [B·T,1]. */
  readonly rowShare: Tensor;
}

/**
 * The pass for modules that see x [B,T,...], of whose T frames the first `frames` (int32 [1]) are the batch's own. Where
 * nobody said how many, all are.
 */
export function within(pass: Pass, frames: Tensor | undefined, x: Tensor): Pass {
  return { ...pass, extent: frames && extentOf(frames, x) };
}

function extentOf(frames: Tensor, x: Tensor): Extent {
  const [batch, length] = x.shape;
  const time = tf.reshape(tf.range(0, length!, 1, 'int32'), [1, length!, 1]);
  const mask = tf.cast(tf.less(time, tf.reshape(frames, [1, 1, 1])), 'float32');
  const share = tf.div(mask, tf.cast(tf.reshape(frames, [1, 1, 1]), 'float32'));
  const rows = tf.tile(tf.mul(share, tf.scalar(1 / batch)), [batch, 1, 1]);
  return { frames, mask, share, rowShare: tf.reshape(rows, [batch * length!, 1]) };
}
