// One FLAC frame: header, subframes (constant, verbatim, fixed, linear prediction), channel decorrelation.
// Source: RFC 9639. Sums of predictions exceed 32 bits for wide samples, so samples are held in float64,
// which is exact for them.
import { FlacBits, flacCrc8, flacCrc16 } from './flac-bits.js';

export interface FlacFrameHeader {
  readonly blockSize: number;
  /** 0 when the stream info has to be asked. */
  readonly sampleRate: number;
  readonly channels: number;
  /** 8 left-side, 9 right-side, 10 mid-side, else independent. */
  readonly assignment: number;
  /** 0 when the stream info has to be asked. */
  readonly bitsPerSample: number;
  /** Index of the first sample (variable) or of the frame (fixed block size). */
  readonly number: number;
  readonly variable: boolean;
}

const RATES = [0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000];
const BITS = [0, 8, 12, 0, 16, 20, 24, 32];

/** What stops a frame from being decoded. */
export class FlacDamage extends Error {
  constructor(
    message: string,
    readonly truncated: boolean,
  ) {
    super(message);
  }
}

/** Whether the sync code stands at `at`. */
export function isFlacSync(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xff && (bytes[at + 1] & 0xfe) === 0xf8;
}

/** Parses and checks the header; leaves `bits` behind it. */
function readHeader(bytes: Uint8Array, start: number, bits: FlacBits): FlacFrameHeader {
  if (!isFlacSync(bytes, start)) throw new FlacDamage('no frame sync', start + 2 > bytes.length);
  bits.unsigned(15);
  const variable = bits.unsigned(1) === 1;
  const sizeCode = bits.unsigned(4);
  const rateCode = bits.unsigned(4);
  const assignment = bits.unsigned(4);
  const bitsCode = bits.unsigned(3);
  bits.unsigned(1);
  const number = readCodedNumber(bits);
  let blockSize: number;
  if (sizeCode === 1) blockSize = 192;
  else if (sizeCode >= 2 && sizeCode <= 5) blockSize = 576 << (sizeCode - 2);
  else if (sizeCode === 6) blockSize = bits.unsigned(8) + 1;
  else if (sizeCode === 7) blockSize = bits.unsigned(16) + 1;
  else blockSize = sizeCode === 0 ? 0 : 256 << (sizeCode - 8);
  let sampleRate = RATES[rateCode] ?? 0;
  if (rateCode === 12) sampleRate = bits.unsigned(8) * 1000;
  else if (rateCode === 13) sampleRate = bits.unsigned(16);
  else if (rateCode === 14) sampleRate = bits.unsigned(16) * 10;
  const end = bits.bytePosition;
  const crc = bits.unsigned(8);
  if (bits.overrun) throw new FlacDamage('frame header cut off', true);
  if (flacCrc8(bytes, start, end) !== crc) throw new FlacDamage('frame header checksum differs', false);
  if (blockSize === 0 || assignment > 10 || rateCode === 15)
    throw new FlacDamage('reserved frame header', false);
  const channels = assignment < 8 ? assignment + 1 : 2;
  return { blockSize, sampleRate, channels, assignment, bitsPerSample: BITS[bitsCode], number, variable };
}

/** A frame or sample number in the extended UTF-8 coding. */
function readCodedNumber(bits: FlacBits): number {
  const first = bits.unsigned(8);
  if (first < 0x80) return first;
  const extraBytes = Math.clz32(~(first << 24)) - 1;
  let value = first & (2 ** (6 - extraBytes) - 1);
  for (let i = 0; i < extraBytes; i++) value = value * 64 + (bits.unsigned(8) & 63);
  return value;
}

export interface FlacFrame {
  readonly header: FlacFrameHeader;
  /** Integers, one array a channel; valid until the next frame is decoded into the same scratch. */
  readonly samples: readonly Float64Array[];
  /** Where the next frame begins. */
  readonly end: number;
}

/** Arrays a stream of frames is decoded into, one a channel. */
export type FlacScratch = Float64Array[];

/**
 * Decodes the frame that starts at byte `start`.
 * @throws FlacDamage
 */
export function readFlacFrame(
  bytes: Uint8Array,
  start: number,
  streamBits: number,
  scratch: FlacScratch,
): FlacFrame {
  const bits = new FlacBits(bytes, start);
  const header = readHeader(bytes, start, bits);
  const { blockSize, channels, assignment } = header;
  const depth = header.bitsPerSample || streamBits;
  const samples: Float64Array[] = [];
  for (let c = 0; c < channels; c++) {
    if (!(scratch[c]?.length >= blockSize)) scratch[c] = new Float64Array(blockSize);
    samples[c] = scratch[c].subarray(0, blockSize);
    const isSide =
      (assignment === 8 || assignment === 10) && c === 1 ? 1 : assignment === 9 && c === 0 ? 1 : 0;
    readSubframe(bits, samples[c], depth + isSide);
  }
  bits.align();
  const end = bits.bytePosition;
  const crc = bits.unsigned(16);
  if (bits.overrun) throw new FlacDamage('frame cut off', true);
  if (flacCrc16(bytes, start, end) !== crc) throw new FlacDamage('frame checksum differs', false);
  decorrelate(samples, assignment, blockSize);
  return { header, samples, end: end + 2 };
}

function decorrelate(samples: Float64Array[], assignment: number, n: number): void {
  const [a, b] = samples;
  if (assignment === 8) for (let i = 0; i < n; i++) b[i] = a[i] - b[i];
  else if (assignment === 9) for (let i = 0; i < n; i++) a[i] += b[i];
  else if (assignment === 10) {
    for (let i = 0; i < n; i++) {
      const side = b[i];
      const right = a[i] - Math.floor(side / 2);
      a[i] = right + side;
      b[i] = right;
    }
  }
}

function readSubframe(bits: FlacBits, out: Float64Array, depth: number): void {
  if (bits.unsigned(1) !== 0) throw new FlacDamage('subframe padding bit set', false);
  const type = bits.unsigned(6);
  const wasted = bits.unsigned(1) ? bits.unary() + 1 : 0;
  const width = depth - wasted;
  if (width < 1) throw new FlacDamage('impossible sample width', false);
  const n = out.length;
  if (type === 0) out.fill(bits.signed(width));
  else if (type === 1) for (let i = 0; i < n; i++) out[i] = bits.signed(width);
  else if (type >= 8 && type <= 12) {
    const order = type - 8;
    if (order > n) throw new FlacDamage('prediction order exceeds the block', false);
    for (let i = 0; i < order; i++) out[i] = bits.signed(width);
    readResidual(bits, out, order);
    predictFixed(out, order);
  } else if (type >= 32) {
    const order = type - 31;
    if (order > n) throw new FlacDamage('prediction order exceeds the block', false);
    for (let i = 0; i < order; i++) out[i] = bits.signed(width);
    const precision = bits.unsigned(4) + 1;
    const shift = bits.signed(5);
    if (precision === 16 || shift < 0) throw new FlacDamage('reserved predictor', false);
    const coefficients = Float64Array.from({ length: order }, () => bits.signed(precision));
    readResidual(bits, out, order);
    predictLinear(out, coefficients, 2 ** shift);
  } else throw new FlacDamage(`reserved subframe type ${type}`, false);
  if (wasted > 0) for (let i = 0; i < n; i++) out[i] *= 2 ** wasted;
}

function readResidual(bits: FlacBits, out: Float64Array, order: number): void {
  const method = bits.unsigned(2);
  if (method > 1) throw new FlacDamage('reserved residual coding', false);
  const parameterBits = method === 0 ? 4 : 5;
  const escapeCode = method === 0 ? 15 : 31;
  const partitions = 1 << bits.unsigned(4);
  const partitionSize = Math.floor(out.length / partitions);
  if (partitionSize * partitions !== out.length || partitionSize < order) {
    throw new FlacDamage('residual partitions do not fit the block', false);
  }
  let at = order;
  for (let p = 0; p < partitions; p++) {
    const count = p === 0 ? partitionSize - order : partitionSize;
    const parameter = bits.unsigned(parameterBits);
    if (parameter < escapeCode) bits.rice(parameter, out, at, count);
    else {
      const width = bits.unsigned(5);
      for (let i = at; i < at + count; i++) out[i] = width === 0 ? 0 : bits.signed(width);
    }
    if (bits.overrun) throw new FlacDamage('frame cut off', true);
    at += count;
  }
}

function predictFixed(out: Float64Array, order: number): void {
  const n = out.length;
  if (order === 1) for (let i = 1; i < n; i++) out[i] += out[i - 1];
  else if (order === 2) for (let i = 2; i < n; i++) out[i] += 2 * out[i - 1] - out[i - 2];
  else if (order === 3) for (let i = 3; i < n; i++) out[i] += 3 * (out[i - 1] - out[i - 2]) + out[i - 3];
  else if (order === 4) {
    for (let i = 4; i < n; i++) out[i] += 4 * (out[i - 1] + out[i - 3]) - 6 * out[i - 2] - out[i - 4];
  }
}

function predictLinear(out: Float64Array, coefficients: Float64Array, scale: number): void {
  const order = coefficients.length;
  const reversed = coefficients.toReversed();
  const inverse = 1 / scale; // a power of two, so the product is exact
  for (let i = order; i < out.length; i++) {
    let sum = 0;
    for (let j = 0, k = i - order; j < order; j++, k++) sum += reversed[j] * out[k];
    out[i] += Math.floor(sum * inverse);
  }
}
