// How far a batch really goes. A batch is padded to one of few shapes, for each shape is compiled; the frames that this
// adds must not be seen by what counts frames or averages over them (norms, pools, stacking), nor by convolutions.
import { type Tensor, tf } from '../engine/index.js';
import type { Extent, Pass } from './pass.js';

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
