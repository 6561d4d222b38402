// GroupQueryAttention and RotaryEmbedding of ONNX Runtime, in ops of tfjs. Axes: B batch, S new positions, N heads, G heads of
// keys and values, D size of a head, P room for past positions, T room for all.
import type { NativeAttributes, Twin } from '../scope.js';
import { type Tensor, tf } from '../tf.js';
import { fractionOf, numberOf } from './attributes.js';

/** x [B,S,N·D] or [B,N,S,D], positions [1] (that of the first) or [B,S], cos and sin [most,R/2] → as x. */
export const rotaryEmbedding: Twin = ([x, positions, cos, sin], attributes) => {
  const [input, given, cosines, sines] = [x, positions, cos, sin] as Tensor[];
  const isFlat = input.shape.length === 3;
  const rotated = 2 * cosines.shape[1]!;
  const heads = numberOf(attributes, 'num_heads', 0) || (isFlat ? input.shape[2]! / rotated : 0);
  const byHead = isFlat ? splitHeads(input, heads) : input;
  const [batch, , steps] = byHead.shape;
  const places =
    given.size === 1 && steps! > 1
      ? tf.add(tf.reshape(given, [1, 1]), tf.reshape(tf.range(0, steps!, 1, 'int32'), [1, steps!]))
      : given;
  const all = tf.add(
    tf.reshape(places, places.shape.length === 1 ? [-1, steps!] : places.shape),
    tf.zeros([batch!, steps!], 'int32'),
  );
  const turned = rotate(byHead, all, cosines, sines, numberOf(attributes, 'interleaved', 0) !== 0);
  const size = fractionOf(attributes, 'scale', 1);
  const y = size === 1 ? turned : tf.mul(turned, tf.scalar(size));
  return [isFlat ? joinHeads(y) : y];
};

/**
 * Attention of new positions to those before and to themselves, and the keys and values with the new ones added.
 * query [B,S,N·D] (or with keys and values packed behind, which are then left out), key and value [B,S,G·D], past ones
 * [B,G,P,D], lengths [B] (all positions of a row, less 1), total [1], cos and sin [most,R/2] → [B,S,N·D], [B,G,T,D] twice.
 */
export const groupQueryAttention: Twin = (inputs, attributes, outputs) => {
  const [packed, , , pastKey, pastValue, lengths, , cos, sin] = inputs;
  const heads = numberOf(attributes, 'num_heads', 1);
  const groups = numberOf(attributes, 'kv_num_heads', 1);
  const [query, key, value] = unpacked(inputs, heads, groups);
  const steps = (packed as Tensor).shape[1]!;
  const past = tf.maximum(
    tf.sub(tf.add(lengths as Tensor, tf.scalar(1, 'int32')), tf.scalar(steps, 'int32')),
    tf.scalar(0, 'int32'),
  );
  const places = tf.add(tf.reshape(past, [-1, 1]), tf.reshape(tf.range(0, steps, 1, 'int32'), [1, steps]));
  const interleaved = numberOf(attributes, 'rotary_interleaved', 0) !== 0;
  const turn = (x: Tensor) =>
    numberOf(attributes, 'do_rotary', 0) ? rotate(x, places, cos as Tensor, sin as Tensor, interleaved) : x;
  const room = outputs[1].shape[2];
  const keys = appended(pastKey, turn(key), past, room);
  const values = appended(pastValue, value, past, room);
  const weights = attentionWeights(turn(query), repeated(keys, heads), places, attributes);
  return [joinHeads(tf.matMul(weights, repeated(values, heads))), keys, values];
};

/** Queries, keys and values by head, from one tensor or three. */
function unpacked(inputs: readonly (Tensor | undefined)[], heads: number, groups: number): Tensor[] {
  const [query, key, value] = inputs;
  if (key && value)
    return [splitHeads(query as Tensor, heads), splitHeads(key, groups), splitHeads(value, groups)];
  const size = (query as Tensor).shape[2]! / (heads + 2 * groups);
  const parts = tf.split(query as Tensor, [heads * size, groups * size, groups * size], 2);
  return parts.map((part, i) => splitHeads(part, i === 0 ? heads : groups));
}

/** Softmax over the positions that a query may see. query and keys [B,N,.,D], places [B,S] → [B,N,S,T]. */
function attentionWeights(query: Tensor, keys: Tensor, places: Tensor, attributes: NativeAttributes): Tensor {
  const [batch, , steps, size] = query.shape;
  const room = keys.shape[2]!;
  const scale = fractionOf(attributes, 'scale', 0) || 1 / Math.sqrt(size!);
  const softcap = fractionOf(attributes, 'softcap', 0);
  const scores = tf.mul(tf.matMul(query, keys, false, true), tf.scalar(scale));
  const capped =
    softcap === 0 ? scores : tf.mul(tf.tanh(tf.div(scores, tf.scalar(softcap))), tf.scalar(softcap));
  const own = tf.reshape(places, [batch!, 1, steps!, 1]);
  const all = tf.reshape(tf.range(0, room, 1, 'int32'), [1, 1, 1, room]);
  const window = numberOf(attributes, 'local_window_size', -1);
  const before = tf.lessEqual(all, own);
  const seen =
    window < 0 ? before : tf.logicalAnd(before, tf.greater(all, tf.sub(own, tf.scalar(window, 'int32'))));
  return tf.softmax(tf.where(seen, capped, tf.scalar(-1e30)));
}

/** past [B,G,P,D] with x [B,G,S,D] from its place on, at most `room` positions; zeros where there is nothing. */
function appended(past: Tensor | undefined, x: Tensor, start: Tensor, room: number): Tensor {
  const [batch, groups, steps, size] = x.shape;
  const at = tf.sub(tf.reshape(tf.range(0, room, 1, 'int32'), [1, room, 1]), tf.reshape(start, [-1, 1, 1]));
  const isNew = tf.cast(tf.equal(at, tf.reshape(tf.range(0, steps!, 1, 'int32'), [1, 1, steps!])), 'float32');
  const placed = tf.matMul(tf.tile(tf.reshape(isNew, [batch!, 1, room, steps!]), [1, groups!, 1, 1]), x);
  const length = past?.shape[2] ?? 0;
  if (!past || length === 0) return placed;
  const kept = length < room ? tf.pad(past, [[0, 0], [0, 0], [0, room - length], [0, 0]]) : past; // biome-ignore format: a table
  const isOld = tf.less(tf.reshape(at, [batch!, 1, room, 1]), tf.scalar(0, 'int32'));
  return tf.where(isOld, kept, tf.reshape(placed, [batch!, groups!, room, size!]));
}

/** The first R numbers of each head turned in pairs by the angles of their position. x [B,N,S,D], places [B,S]. */
function rotate(x: Tensor, places: Tensor, cos: Tensor, sin: Tensor, interleaved: boolean): Tensor {
  const [batch, heads, steps, size] = x.shape;
  const half = cos.shape[1]!;
  const angle = (cache: Tensor) => {
    const rows = tf.gather(cache, tf.reshape(tf.cast(places, 'int32'), [-1]));
    return tf.reshape(rows, [batch!, 1, steps!, half]);
  };
  const [c, s] = [angle(cos), angle(sin)];
  const turning = tf.slice(x, [0, 0, 0, 0], [batch!, heads!, steps!, 2 * half]);
  const shape = interleaved ? [batch!, heads!, steps!, half, 2] : [batch!, heads!, steps!, 2, half];
  const axis = interleaved ? 4 : 3;
  const [a, b] = tf.unstack(tf.reshape(turning, shape), axis);
  const turned = tf.stack([tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))], axis);
  const y = tf.reshape(turned, turning.shape);
  if (2 * half === size) return y;
  const rest = tf.slice(x, [0, 0, 0, 2 * half], [batch!, heads!, steps!, size! - 2 * half]);
  return tf.concat([y, rest], 3);
}

/** [B,G,T,D] → [B,N,T,D]: neighbouring heads share keys and values. */
function repeated(x: Tensor, heads: number): Tensor {
  const [batch, groups, room, size] = x.shape;
  if (groups === heads) return x;
  const each = heads / groups!;
  const tiled = tf.tile(tf.reshape(x, [batch!, groups!, 1, room! * size!]), [1, 1, each, 1]);
  return tf.reshape(tiled, [batch!, heads, room!, size!]);
}

/** [B,S,N·D] → [B,N,S,D]. */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, steps, width] = x.shape;
  return tf.transpose(tf.reshape(x, [batch!, steps!, heads, width! / heads]), [0, 2, 1, 3]);
}

/** [B,N,S,D] → [B,S,N·D]. */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, steps, size] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch!, steps!, heads! * size!]);
}
