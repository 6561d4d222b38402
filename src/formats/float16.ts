// Half precision (IEEE 754 binary16) and bfloat16 as 16-bit patterns, which JavaScript has no arrays for.
// Conversions round to nearest, ties to even, as PyTorch's do.

/** Fewer patterns are not worth a table of all. */
const SEVERAL = 4096;

const floatBits = new Float32Array(1);
const intBits = new Uint32Array(floatBits.buffer);

/** float32 to the bits of a binary16; overflow becomes infinity. */
export function toFloat16Bits(value: number): number {
  floatBits[0] = value;
  const bits = intBits[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: the unit of the last place is 2^-24.
    const scaled = Math.abs(floatBits[0]) * 2 ** 24;
    const floor = Math.floor(scaled);
    const rest = scaled - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** The number that a 16-bit pattern of IEEE 754 binary16 stands for, exactly. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float32 to the bits of a bfloat16. */
export function toBfloat16Bits(value: number): number {
  floatBits[0] = value;
  const bits = intBits[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that a 16-bit pattern of bfloat16 stands for, exactly. */
export function fromBfloat16Bits(bits: number): number {
  intBits[0] = bits << 16;
  return floatBits[0];
}

/** float32 values as binary16 patterns. */
export function toFloat16(values: ArrayLike<number>): Uint16Array {
  return mapped(values, new Uint16Array(values.length), toFloat16Bits);
}

/** The numbers of all patterns, made when the first is asked for. */
let allFloat16: Float32Array | undefined;

/** The number of each pattern of binary16, by the pattern: a model has a hundred million of them and more. */
export function float16Numbers(): Float32Array {
  allFloat16 ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => fromFloat16Bits(bits));
  return allFloat16;
}

/** The float32 values of binary16 patterns, exactly. @param out where they are written. Default: memory of their own */
export function fromFloat16(
  patterns: ArrayLike<number>,
  out: Float32Array = new Float32Array(patterns.length),
): Float32Array {
  if (patterns.length < SEVERAL) return mapped(patterns, out, fromFloat16Bits);
  const numbers = float16Numbers();
  for (let i = 0; i < out.length; i++) out[i] = numbers[patterns[i]];
  return out;
}

/** float32 values as bfloat16 patterns. */
export function toBfloat16(values: ArrayLike<number>): Uint16Array {
  return mapped(values, new Uint16Array(values.length), toBfloat16Bits);
}

/** The float32 values of bfloat16 patterns, exactly: these are their high halves. @param out as above */
export function fromBfloat16(
  patterns: ArrayLike<number>,
  out: Float32Array = new Float32Array(patterns.length),
): Float32Array {
  const bits = new Int32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) bits[i] = patterns[i] << 16;
  return out;
}

/** A loop, for `from` of typed arrays goes by an iterator, ten times as slow. */
function mapped<T extends Uint16Array | Float32Array>(
  from: ArrayLike<number>,
  to: T,
  convert: (value: number) => number,
): T {
  for (let i = 0; i < to.length; i++) to[i] = convert(from[i]);
  return to;
}
