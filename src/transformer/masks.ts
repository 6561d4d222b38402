// Attention biases of Transformer modules: 0 for what may be seen, -10000 for what may not, as in NeMo.
import { type Tensor, tf } from '../engine/index.js';

/** valid [B,K] with 1 for real positions → [B,1,1,K]. */
export function keyBias(valid: Tensor): Tensor {
  const [batch, keys] = valid.shape;
  return tf.reshape(hidden(valid), [batch, 1, 1, keys]);
}

/** The same where positions see only themselves and what comes before: valid [B,T] → [B,1,T,T]. */
export function causalBias(valid: Tensor): Tensor {
  const [batch, length] = valid.shape;
  const time = tf.range(0, length, 1, 'int32');
  const past = tf.cast(tf.lessEqual(tf.reshape(time, [1, length]), tf.reshape(time, [length, 1])), 'float32');
  const seenMask = tf.mul(tf.reshape(valid, [batch, 1, 1, length]), tf.reshape(past, [1, 1, length, length]));
  return hidden(seenMask);
}

function hidden(seenMask: Tensor): Tensor {
  return tf.mul(tf.sub(seenMask, tf.scalar(1)), tf.scalar(10000));
}
