// How GGUF files hold numbers: plain, or in blocks that share a scale, as llama.cpp lays them out (ggml-quants.c). All
// arithmetic is exact in float64 and rounded once, as theirs is.
import { fromBfloat16Bits, fromFloat16Bits } from '../float16.js';

/** A type of tensors. */
export interface BlockType {
  readonly name: string;
  /** Numbers of a block, and its bytes. */
  readonly numbers: number;
  readonly bytes: number;
  /** Writes whole blocks out. */
  readonly decode: (blocks: Uint8Array, out: Float32Array) => void;
}

/** A type whose blocks are written out one by one. */
function blockwise(
  name: string,
  numbers: number,
  bytes: number,
  block: (x: Uint8Array, at: number, out: Float32Array, to: number) => void,
): BlockType {
  const decode = (x: Uint8Array, out: Float32Array): void => {
    for (let at = 0, to = 0; to < out.length; at += bytes, to += numbers) block(x, at, out, to);
  };
  return { name, numbers, bytes, decode };
}

/** The numbers of all patterns, made when the first is asked for: a file has one or two for every 32 numbers. */
let halves: Float32Array | undefined;

function half(x: Uint8Array, at: number): number {
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => fromFloat16Bits(bits));
  return halves[x[at] | (x[at + 1] << 8)];
}

const F32: BlockType = {
  name: 'F32',
  numbers: 1,
  bytes: 4,
  decode: (x, out) => {
    const view = new DataView(x.buffer, x.byteOffset, x.byteLength);
    for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i, true);
  },
};

const F16 = blockwise('F16', 1, 2, (x, at, out, to) => {
  out[to] = half(x, at);
});

const BF16 = blockwise('BF16', 1, 2, (x, at, out, to) => {
  out[to] = fromBfloat16Bits(x[at] | (x[at + 1] << 8));
});

/** A scale, then 16 bytes: their low halves are the first 16 numbers, their high ones the others. */
const Q4_0 = blockwise('Q4_0', 32, 18, (x, at, out, to) => {
  const scale = half(x, at);
  for (let i = 0; i < 16; i++) {
    const byte = x[at + 2 + i];
    out[to + i] = ((byte & 15) - 8) * scale;
    out[to + i + 16] = ((byte >> 4) - 8) * scale;
  }
});

/** The same with a least number instead of the middle one. */
const Q4_1 = blockwise('Q4_1', 32, 20, (x, at, out, to) => {
  const scale = half(x, at);
  const least = half(x, at + 2);
  for (let i = 0; i < 16; i++) {
    const byte = x[at + 4 + i];
    out[to + i] = (byte & 15) * scale + least;
    out[to + i + 16] = (byte >> 4) * scale + least;
  }
});

const Q8_0 = blockwise('Q8_0', 32, 34, (x, at, out, to) => {
  const scale = half(x, at);
  for (let i = 0; i < 32; i++) out[to + i] = signed(x[at + 2 + i]) * scale;
});

/**
 * Eight groups of 32 numbers, each with a scale and a least number of 6 bits, which have a scale each for the whole block.
 * @param fifth where a fifth bit of each number lies, if it has one
 */
function kBlock(fifth: boolean) {
  const [high, levels] = fifth ? [16, 48] : [0, 16];
  return (x: Uint8Array, at: number, out: Float32Array, to: number): void => {
    const [scale, least] = [half(x, at), half(x, at + 2)];
    for (let group = 0; group < 8; group++) {
      const [size, from] = sixBits(x, at + 4, group);
      const [factor, offset] = [scale * size, least * from];
      const bytes = at + levels + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      for (let i = 0; i < 32; i++) {
        const top = fifth ? ((x[at + high + i] >> group) & 1) << 4 : 0;
        out[to + 32 * group + i] = factor * (((x[bytes + i] >> shift) & 15) | top) - offset;
      }
    }
  };
}

/** Scale and least number of a group, among 12 bytes that hold eight of each. */
function sixBits(x: Uint8Array, at: number, group: number): readonly [number, number] {
  if (group < 4) return [x[at + group] & 63, x[at + group + 4] & 63];
  return [
    (x[at + group + 4] & 15) | ((x[at + group - 4] >> 6) << 4),
    (x[at + group + 4] >> 4) | ((x[at + group] >> 6) << 4),
  ];
}

/** Numbers of 6 bits: low halves of 128 bytes, then two bits each in 64; a scale of 8 bits for each 16 numbers. */
const Q6_K = blockwise('Q6_K', 256, 210, (x, at, out, to) => {
  const scale = half(x, at + 208);
  for (let i = 0; i < 256; i++) {
    const part = i >> 7;
    const quarter = (i >> 5) & 3;
    const place = i & 31;
    const low = x[at + 64 * part + 32 * (quarter & 1) + place] >> (4 * (quarter >> 1));
    const high = x[at + 128 + 32 * part + place] >> (2 * quarter);
    const level = ((low & 15) | ((high & 3) << 4)) - 32;
    out[to + i] = scale * signed(x[at + 192 + (i >> 4)]) * level;
  }
});

/** By the number that a file gives them. */
export const blockTypes: ReadonlyMap<number, BlockType> = new Map([
  [0, F32],
  [1, F16],
  [2, Q4_0],
  [3, Q4_1],
  [8, Q8_0],
  [12, blockwise('Q4_K', 256, 144, kBlock(false))],
  [13, blockwise('Q5_K', 256, 176, kBlock(true))],
  [14, Q6_K],
  [30, BF16],
]);

function signed(byte: number): number {
  return (byte << 24) >> 24;
}
