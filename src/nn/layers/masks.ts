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
  const time = tf.reshape(tf.range(0, frames, 1, 'int32'), [1, frames]);
  return tf.cast(tf.less(time, tf.reshape(lengths, [-1, 1])), 'float32');
}

/**
 * valid [B,T] with 1 for real frames. Padded queries see nothing, padded keys are seen by nobody. `before` [B,C] says
 * the same of keys that come before those frames, which then begin a chunk.
 */
export function attentionMask(valid: Tensor, context: AttentionContext, before?: Tensor): AttentionMask {
  const [batch, frames] = valid.shape;
  const past = before ? before.shape[1]! : 0;
  const keys = before ? tf.concat([before, valid], 1) : valid;
  const pairs = tf.mul(
    tf.reshape(valid, [batch, 1, frames, 1]),
    tf.reshape(keys, [batch, 1, 1, past + frames!]),
  );
  const allowedPairs = isUnlimited(context) ? pairs : tf.mul(pairs, contextTable(frames!, context, past));
  return {
    bias: tf.mul(tf.sub(allowedPairs, tf.scalar(1)), tf.scalar(10000)),
    queries: tf.reshape(valid, [batch, frames, 1]),
  };
}

function isUnlimited({ left, right }: AttentionContext): boolean {
  return left < 0 && right < 0;
}

/** 1 where the query of the row may see the key of the column, else 0: [1,1,T,past+T]. */
function contextTable(frames: number, { style, left, right }: AttentionContext, past: number): Tensor {
  // With an unlimited right side the whole utterance is one chunk, and the left side counts in frames.
  const chunk = style === 'chunked_limited' && right >= 0 ? right + 1 : 1;
  // The origin is shifted by whole chunks, at least `past` frames, so that no position is negative.
  const origin = Math.ceil(past / chunk) * chunk;
  const units = (from: number): Tensor => {
    const positions = tf.range(from, origin + frames, 1, 'int32');
    return chunk === 1 ? positions : tf.floorDiv(positions, tf.scalar(chunk, 'int32'));
  };
  const key = tf.reshape(units(origin - past), [1, past + frames]);
  const query = past === 0 ? tf.reshape(key, [frames, 1]) : tf.reshape(units(origin), [frames, 1]);
  const ahead = tf.sub(key, query);
  const bounds: Tensor[] = [];
  if (left >= 0) bounds.push(tf.greaterEqual(ahead, tf.scalar(-Math.floor(left / chunk), 'int32')));
  if (chunk > 1 || right >= 0) {
    const mostAhead = style === 'chunked_limited' ? 0 : right;
    bounds.push(tf.lessEqual(ahead, tf.scalar(mostAhead, 'int32')));
  }
  const allowedPairs = bounds.reduce((both, bound) => tf.logicalAnd(both, bound));
  return tf.reshape(tf.cast(allowedPairs, 'float32'), [1, 1, frames, past + frames]);
}
