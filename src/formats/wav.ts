// RIFF/WAVE (also RF64 and BW64): finds the samples by walking the chunks, reads only the frames asked for,
// writes plain files. Compressed payloads other than G.711 are refused. What a recording means (mono
// mixing, sample rates) is the business of audio.
import { AnemoneError } from '../errors/index.js';
import type { ByteSource } from './byte-source.js';
import { badSample } from './levels.js';
import { decodePcm, encodePcm, type PcmEncoding } from './pcm.js';

/** What the chunks of a WAVE file say. */
export interface WavInfo {
  readonly encoding: PcmEncoding;
  /** Bits that carry information; the container may be wider. */
  readonly bitsPerSample: number;
  /** Bytes one sample of one channel takes. */
  readonly container: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly dataOffset: number;
  /** Frames (samples a channel) that are really there. */
  readonly frames: number;
  /** Frames the header promises; more than `frames` in a truncated file. */
  readonly declaredFrames: number;
}

const FORMATS: Readonly<Record<number, PcmEncoding>> = { 1: 'int', 3: 'float', 6: 'alaw', 7: 'mulaw' };
/** The most frequent of the formats that are not read, by their number. */
const COMPRESSED: Readonly<Record<number, string>> = {
  2: 'Microsoft ADPCM',
  17: 'IMA ADPCM',
  49: 'GSM 6.10',
  80: 'MPEG layer I or II',
  85: 'MP3',
};
// Programs that write to a pipe leave 0, 0xFFFFFFFF or about 2^31 as the size: read to the end of the file.
const STREAMING_SIZE = 0x7ffff000;
const MAX_CHUNKS = 10_000;
/** Hz. Outside of these a header is damaged; a file of such a rate would become endless, or nothing, at another. */
const [MIN_RATE, MAX_RATE] = [100, 10_000_000];

const ascii = (bytes: Uint8Array, at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));

/**
 * Reads the chunk headers.
 * @throws AnemoneError `audio.corrupt`, `audio.unknown-format`, `audio.empty`
 */
export async function readWavInfo(source: ByteSource): Promise<WavInfo> {
  const corrupt = (message: string) =>
    new AnemoneError({ code: 'audio.corrupt', message, position: { file: source.name } });
  const head = await source.read(0, 12);
  if (head.length < 12 || ascii(head, 8) !== 'WAVE') throw corrupt('not a complete RIFF/WAVE header');
  let longDataSize: number | undefined;
  let format: Uint8Array | undefined;
  for (let at = 12, count = 0; at + 8 <= source.size; count++) {
    // Zeros where a recorder stopped look like empty chunks, millions of them.
    if (count > MAX_CHUNKS) throw corrupt(`more than ${MAX_CHUNKS} chunks before the audio`);
    const header = await source.read(at, 8);
    const id = ascii(header, 0);
    const size = viewOf(header).getUint32(4, true);
    if (id === 'ds64') {
      const body = await source.read(at + 8, 16);
      if (body.length === 16) longDataSize = Number(viewOf(body).getBigUint64(8, true));
    } else if (id === 'fmt ') {
      format = await source.read(at + 8, Math.min(size, 40));
    } else if (id === 'data') {
      if (!format) throw corrupt('the data chunk comes before any fmt chunk');
      return describe(source, format, at + 8, size === 0xffffffff ? (longDataSize ?? size) : size);
    }
    at = await nextChunk(source, at + 8, size);
  }
  throw corrupt(format ? 'no data chunk' : 'no fmt chunk');
}

/** Chunks that may follow an odd one. */
const NAMES = new Set(['fmt ', 'data', 'fact', 'LIST', 'bext', 'cue ', 'smpl', 'id3 ', 'JUNK']);

/** Chunks are padded to even length; where a program forgot that, the next name begins a byte earlier. */
async function nextChunk(source: ByteSource, start: number, size: number): Promise<number> {
  const end = start + size;
  if (size % 2 === 0) return end;
  return NAMES.has(ascii(await source.read(end, 4), 0)) ? end : end + 1;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function describe(source: ByteSource, format: Uint8Array, dataOffset: number, dataSize: number): WavInfo {
  const fail = (code: string, message: string, hint?: string) =>
    new AnemoneError({ code, message, hint, position: { file: source.name } });
  if (format.length < 16) throw fail('audio.corrupt', 'the fmt chunk is too short');
  const view = viewOf(format);
  let tag = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const blockAlign = view.getUint16(12, true);
  const bitsPerSample = view.getUint16(14, true);
  // WAVE_FORMAT_EXTENSIBLE keeps the real tag in the first two bytes of a GUID.
  if (tag === 0xfffe && format.length >= 26) tag = view.getUint16(24, true);
  const encoding = FORMATS[tag];
  if (!encoding) {
    throw fail(
      'audio.unknown-format',
      `WAVE format tag 0x${tag.toString(16)}${tag in COMPRESSED ? ` (${COMPRESSED[tag]})` : ''} is not supported`,
      'convert it to PCM, for example with ffmpeg -i in.wav -c:a pcm_s16le out.wav',
    );
  }
  if (channels === 0 || !(sampleRate >= MIN_RATE && sampleRate <= MAX_RATE))
    throw fail('audio.corrupt', `its header says ${channels} channels at ${sampleRate} Hz`);
  const container = containerOf(encoding, bitsPerSample, blockAlign / channels);
  if (container === undefined) {
    throw fail('audio.corrupt', `${bitsPerSample}-bit ${encoding} samples in blocks of ${blockAlign} bytes`);
  }
  const block = container * channels;
  const available = Math.max(0, source.size - dataOffset);
  const streaming = dataSize > available && dataSize >= STREAMING_SIZE;
  const declared = streaming || dataSize === 0 ? available : dataSize;
  const frames = Math.floor(Math.min(declared, available) / block);
  const declaredFrames = Math.floor(declared / block);
  return {
    encoding,
    bitsPerSample,
    container,
    channels,
    sampleRate,
    dataOffset,
    frames,
    declaredFrames,
  };
}

const WIDTHS: Readonly<Record<PcmEncoding, readonly number[]>> = {
  int: [1, 2, 3, 4],
  float: [4, 8],
  alaw: [1],
  mulaw: [1],
};

/**
 * Bytes a sample takes. The bits tell, as they do to other readers; the block only where the bits make no sense, and where
 * it says that samples of 17 to 24 bits lie in four bytes.
 */
function containerOf(encoding: PcmEncoding, bits: number, blockWidth: number): number | undefined {
  const widths = WIDTHS[encoding];
  const width = Math.ceil(bits / 8);
  const isWide = encoding === 'int' && width === 3 && blockWidth === 4;
  if (widths.includes(width) && !isWide) return width;
  return bits <= 8 * blockWidth && widths.includes(blockWidth) ? blockWidth : undefined;
}

/**
 * Frames `[start, start + count)` as one array a channel; fewer where the file ends.
 * @throws AnemoneError `audio.corrupt` for float samples that are not finite
 */
export async function readWavFrames(
  source: ByteSource,
  info: WavInfo,
  start = 0,
  count = info.frames - start,
): Promise<Float32Array[]> {
  const block = info.container * info.channels;
  const wantedFrames = Math.max(0, Math.min(count, info.frames - start));
  const bytes = await source.read(info.dataOffset + start * block, wantedFrames * block);
  const channels = decodePcm(bytes, info.channels, info.encoding, info.container);
  if (info.encoding === 'float') checkLevels(channels, start, source.name);
  return channels;
}

function checkLevels(channels: readonly Float32Array[], start: number, file: string): void {
  for (const channel of channels) {
    const badIndex = badSample(channel);
    if (badIndex < 0) continue;
    throw new AnemoneError({
      code: 'audio.corrupt',
      message: `sample ${start + badIndex} is ${channel[badIndex]}, which is no audio`,
      position: { file },
    });
  }
}

/** How samples are stored in a WAVE file. */
export interface WavWriteOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Default `int`. */
  readonly encoding?: 'int' | 'float';
  /** 8, 16, 24 or 32 for `int` (default 16); 32 or 64 for `float` (default 32). */
  readonly bits?: number;
}

/** A whole WAV file from one array a channel, all of one length. */
export function encodeWav(channels: readonly Float32Array[], options: WavWriteOptions): Uint8Array {
  const encoding = options.encoding ?? 'int';
  const bits = options.bits ?? (encoding === 'int' ? 16 : 32);
  const allowedBits = encoding === 'int' ? [8, 16, 24, 32] : [32, 64];
  if (!allowedBits.includes(bits) || channels.length === 0) {
    throw new AnemoneError({
      code: 'wav.write',
      message: `cannot write ${channels.length} channels of ${bits}-bit ${encoding}`,
      hint: 'int takes 8, 16, 24 or 32 bits, float 32 or 64',
    });
  }
  const data = encodePcm(channels, encoding, bits);
  const bytes = new Uint8Array(44 + data.length + (data.length % 2));
  const view = viewOf(bytes);
  const block = (channels.length * bits) / 8;
  const text = (at: number, value: string) => {
    for (let i = 0; i < value.length; i++) bytes[at + i] = value.charCodeAt(i);
  };
  text(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, encoding === 'int' ? 1 : 3, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, options.sampleRate, true);
  view.setUint32(28, options.sampleRate * block, true);
  view.setUint16(32, block, true);
  view.setUint16(34, bits, true);
  text(36, 'data');
  view.setUint32(40, data.length, true);
  bytes.set(data, 44);
  return bytes;
}
