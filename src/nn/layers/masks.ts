// Masks made from lengths and attention contexts.
import { type Tensor, tf } from '../../engine/index.js';
import type { AttentionMask } from './attention.js';

/** Which keys a query may see besides padding; -1 is unlimited. */
export interface AttentionContext {
  readonly style: 'regular' | 'chunked_limited';
  readonly left: number;
  readonly right: number;
}

/** 1 for frames before the length, else 0. lengths int32 [B] → float32 [B,T]. */
export function frameMask(lengths: Tensor, frames: number): Tensor {
  const time = tf.tensor2d(
    Int32Array.from({ length: frames }, (_, t) => t),
    [1, frames],
    'int32',
  );
  return tf.cast(tf.less(time, tf.reshape(lengths, [-1, 1])), 'float32');
}

/** valid [B,T] with 1 for real frames. Padded queries see nothing, padded keys are seen by nobody. */
export function attentionMask(valid: Tensor, context: AttentionContext): AttentionMask {
  const [batch, frames] = valid.shape;
  const pairs = tf.mul(tf.reshape(valid, [batch, 1, frames, 1]), tf.reshape(valid, [batch, 1, 1, frames]));
  const allowed = isUnlimited(context) ? pairs : tf.mul(pairs, contextTable(frames, context));
  return {
    bias: tf.mul(tf.sub(allowed, tf.scalar(1)), tf.scalar(10000)),
    queries: tf.reshape(valid, [batch, frames, 1]),
  };
}

function isUnlimited({ left, right }: AttentionContext): boolean {
  return left < 0 && right < 0;
}

function contextTable(frames: number, context: AttentionContext): Tensor {
  const table = new Float32Array(frames * frames);
  for (let query = 0; query < frames; query++) {
    for (let key = 0; key < frames; key++) table[query * frames + key] = sees(query, key, context) ? 1 : 0;
  }
  return tf.tensor(table, [1, 1, frames, frames]);
}

function sees(query: number, key: number, { style, left, right }: AttentionContext): boolean {
  if (style === 'regular') {
    return (left < 0 || key >= query - left) && (right < 0 || key <= query + right);
  }
  // With an unlimited right side the whole utterance is one chunk.
  if (right < 0) return left < 0 || key >= query - left;
  const chunk = right + 1;
  const distance = Math.floor(query / chunk) - Math.floor(key / chunk);
  return distance >= 0 && (left < 0 || distance <= Math.floor(left / chunk));
}
