// How GGUF files hold numbers: plain, or in blocks that share a scale, as llama.cpp lays them out (ggml-quants.c). All
// arithmetic is exact in float64 and rounded once, as theirs is.
import { float16Numbers, fromBfloat16, fromFloat16 } from '../float16.js';

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

function half(x: Uint8Array, at: number): number {
  return float16Numbers()[x[at] | (x[at + 1] << 8)];
}

/** The same bytes where numbers of `width` bytes may begin. */
function aligned(x: Uint8Array, width: number): Uint8Array {
  return x.byteOffset % width === 0 ? x : x.slice();
}

function shorts(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 2);
  return new Uint16Array(buffer, byteOffset, byteLength >> 1);
}

const F32: BlockType = {
  name: 'F32',
  numbers: 1,
  bytes: 4,
  decode: (bytes, out) => {
    const { buffer, byteOffset } = aligned(bytes, 4);
    out.set(new Float32Array(buffer, byteOffset, out.length));
  },
};

const F16: BlockType = {
  name: 'F16',
  numbers: 1,
  bytes: 2,
  decode: (bytes, out) => void fromFloat16(shorts(bytes), out),
};

const BF16: BlockType = {
  name: 'BF16',
  numbers: 1,
  bytes: 2,
  decode: (bytes, out) => void fromBfloat16(shorts(bytes), out),
};

/**
 * A scale, then 16 bytes: their low halves are the first 16 numbers, their high ones the others. The commonest types are written
 * out several numbers at a time, since a model has a hundred million of them and more.
 */
const Q4_0: BlockType = {
  name: 'Q4_0',
  numbers: 32,
  bytes: 18,
  decode: (bytes, out) => {
    const x = shorts(bytes);
    const numbers = float16Numbers();
    for (let at = 0, to = 0; to < out.length; at += 9, to += 32) {
      const scale = numbers[x[at]];
      for (let i = 0; i < 8; i++) {
        const two = x[at + 1 + i];
        const place = to + 2 * i;
        out[place] = ((two & 15) - 8) * scale;
        out[place + 16] = (((two >> 4) & 15) - 8) * scale;
        out[place + 1] = (((two >> 8) & 15) - 8) * scale;
        out[place + 17] = ((two >> 12) - 8) * scale;
      }
    }
  },
};

/** The same with a least number instead of the middle one. */
const Q4_1: BlockType = {
  name: 'Q4_1',
  numbers: 32,
  bytes: 20,
  decode: (bytes, out) => {
    const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
    const x = new Uint32Array(buffer, byteOffset, byteLength >> 2);
    const numbers = float16Numbers();
    for (let at = 0, to = 0; to < out.length; at += 5, to += 32) {
      const scale = numbers[x[at] & 0xffff];
      const least = numbers[x[at] >>> 16];
      for (let i = 0; i < 4; i++) {
        const four = x[at + 1 + i];
        const place = to + 4 * i;
        out[place] = (four & 15) * scale + least;
        out[place + 16] = ((four >> 4) & 15) * scale + least;
        out[place + 1] = ((four >> 8) & 15) * scale + least;
        out[place + 17] = ((four >> 12) & 15) * scale + least;
        out[place + 2] = ((four >> 16) & 15) * scale + least;
        out[place + 18] = ((four >> 20) & 15) * scale + least;
        out[place + 3] = ((four >> 24) & 15) * scale + least;
        out[place + 19] = (four >>> 28) * scale + least;
      }
    }
  },
};

const Q8_0: BlockType = {
  name: 'Q8_0',
  numbers: 32,
  bytes: 34,
  decode: (bytes, out) => {
    const x = shorts(bytes);
    const numbers = float16Numbers();
    for (let at = 0, to = 0; to < out.length; at += 17, to += 32) {
      const scale = numbers[x[at]];
      for (let i = 0; i < 16; i++) {
        const two = x[at + 1 + i];
        out[to + 2 * i] = signed(two & 0xff) * scale;
        out[to + 2 * i + 1] = signed(two >> 8) * scale;
      }
    }
  },
};

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
