// Attention with a cache of keys and values, and rotary positions, as single operators: for generation, without gradients.
import { cast } from '../primitives/element-types.js';
import { nativeOp } from '../primitives/native-op.js';
import type { Tensor } from '../tf.js';

const OWN = { domain: 'com.microsoft' };

/** Options of `groupQueryAttention`. */
export interface GroupQueryOptions {
  /** Heads of the queries, and of keys and values, which several of the former share. */
  readonly heads: number;
  readonly groups: number;
  /** Factor of the products. Default 1/√D. */
  readonly scale?: number;
  /** Rotary tables of cosines and sines [most positions, R/2]; none: no rotation. */
  readonly rotary?: { readonly cos: Tensor; readonly sin: Tensor; readonly interleaved?: boolean };
  /** How many positions a query sees, its own included. Default: all before it. */
  readonly window?: number;
  /** Scores are softcap · tanh(score / softcap). Default: as they are. */
  readonly softcap?: number;
}

/** What is attended to. */
export interface AttentionCache {
  /** [B,G,P,D] */
  readonly key: Tensor;
  readonly value: Tensor;
  /** Positions of each row, the new ones included, less 1: int32 [B]. */
  readonly lastPlaces: Tensor;
  /** Positions of the longest row: int32 [1]. */
  readonly total: Tensor;
}

/**
 * Causal attention of S new positions. query [B,S,N·D], key and value [B,S,G·D], or all three packed in `query`
 * [B,S,(N+2G)·D]. `room`: positions that the new cache has.
 * @returns the output [B,S,N·D] and the cache's keys and values with the new ones, [B,G,room,D]
 */
export function groupQueryAttention(
  query: Tensor,
  key: Tensor | undefined,
  value: Tensor | undefined,
  cache: AttentionCache,
  room: number,
  { heads, groups, scale, rotary, window = -1, softcap = 0 }: GroupQueryOptions,
): { readonly output: Tensor; readonly key: Tensor; readonly value: Tensor } {
  const [batch, steps, width] = query.shape;
  const size = key ? width! / heads : width! / (heads + 2 * groups);
  const present = { dtype: 'float32', shape: [batch!, groups, room, size] } as const;
  const attributes = {
    num_heads: heads,
    kv_num_heads: groups,
    local_window_size: window,
    softcap: { float: softcap },
    ...(scale === undefined ? {} : { scale: { float: scale } }),
    ...(rotary ? { do_rotary: 1, rotary_interleaved: Number(rotary.interleaved ?? false) } : {}),
  };
  const [output, keys, values] = nativeOp(
    'GroupQueryAttention',
    [query, key, value, cache.key, cache.value, cache.lastPlaces, cache.total, rotary?.cos, rotary?.sin],
    [{ dtype: 'float32', shape: [batch!, steps!, heads * size] }, present, present],
    attributes,
    OWN,
  );
  return { output, key: keys, value: values };
}

/** Options of `rotaryEmbedding`. */
export interface RotaryOptions {
  /** Heads in the last axis of an x [B,S,N·D]; needed where only a part of each head is turned. */
  readonly heads?: number;
  /** Neighbouring numbers make a pair. Default: those half of the turned part apart. */
  readonly interleaved?: boolean;
}

/**
 * Rotary positions (Su et al. 2021). x [B,S,N·D] or [B,N,S,D]; positions int32 [B,S], or [1], that of the first; cos and sin
 * [most positions, R/2] → as x.
 */
export function rotaryEmbedding(
  x: Tensor,
  positions: Tensor,
  cos: Tensor,
  sin: Tensor,
  { heads = 0, interleaved = false }: RotaryOptions = {},
): Tensor {
  const attributes = {
    interleaved: Number(interleaved),
    ...(heads > 0 ? { num_heads: heads, rotary_embedding_dim: 2 * cos.shape[1]! } : {}),
  };
  const inputs = [x, cast(positions, 'int64'), cos, sin];
  return nativeOp('RotaryEmbedding', inputs, [{ dtype: 'float32', shape: x.shape }], attributes, OWN)[0];
}
