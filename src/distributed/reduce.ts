// Reduces elements of several ranks, in the order in which they are given. 16 bits are reduced in 32 and rounded once.
import type { DType } from '../engine/index.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../formats/index.js';
import type { Reduction } from './communicator.js';

/** Arrays of equal length; `out` may be none of them. `int64` stands in BigInt64Arrays. */
export type Numbers = Float32Array | Int32Array | Uint8Array | Uint16Array | Int8Array | BigInt64Array;

export function reduceInto(
  out: Numbers,
  parts: readonly Numbers[],
  dtype: DType,
  reduction: Reduction,
): void {
  if (dtype === 'float16' || dtype === 'bfloat16') {
    reduceHalves(out as Uint16Array, parts as readonly Uint16Array[], dtype, reduction);
    return;
  }
  const [first, ...others] = parts;
  out.set(first as never);
  for (const part of others) COMBINE[reduction](out as Float32Array, part as Float32Array);
}

/** Written for floats; elements of other types are combined by the same operators. */
const COMBINE: Readonly<Record<Reduction, (out: Float32Array, part: Float32Array) => void>> = {
  sum: (out, part) => {
    for (let i = 0; i < out.length; i++) out[i] += part[i];
  },
  // A NaN stays one, whichever rank it comes from.
  max: (out, part) => {
    for (let i = 0; i < out.length; i++) {
      const x = part[i];
      if (x > out[i] || Number.isNaN(x)) out[i] = x;
    }
  },
  min: (out, part) => {
    for (let i = 0; i < out.length; i++) {
      const x = part[i];
      if (x < out[i] || Number.isNaN(x)) out[i] = x;
    }
  },
};

const BLOCK = 4096;
const total = new Float32Array(BLOCK);

function reduceHalves(
  out: Uint16Array,
  parts: readonly Uint16Array[],
  dtype: 'float16' | 'bfloat16',
  reduction: Reduction,
): void {
  const [widen, narrow] = dtype === 'float16' ? [fromFloat16, toFloat16] : [fromBfloat16, toBfloat16];
  for (let start = 0; start < out.length; start += BLOCK) {
    const [first, ...others] = parts.map((part) => widen(part.subarray(start, start + BLOCK)));
    const sums = total.subarray(0, first.length);
    sums.set(first);
    for (const part of others) COMBINE[reduction](sums, part);
    out.set(narrow(sums), start);
  }
}
