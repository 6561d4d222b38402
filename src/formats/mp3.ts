// MPEG audio (layers I to III): finds the frames by their headers, hands whole frames to the mpg123 decoder
// (WebAssembly), and turns what goes wrong there into errors. The headers are walked here first because
// the decoder never returns when it cannot find its way in garbage.
import { MPEGDecoder } from 'mpg123-decoder';
import { AnemoneError } from '../errors/index.js';

export interface Mp3Info {
  readonly sampleRate: number;
  readonly channels: number;
  /** Audio frames times samples a frame: an upper bound, encoder padding included. */
  readonly frames: number;
  /** True when the last frame is cut off or bytes that are no frame were passed over. */
  readonly damaged: boolean;
}

interface Mp3Frame {
  readonly start: number;
  readonly length: number;
}

interface FrameHeader {
  readonly length: number;
  readonly sampleRate: number;
  readonly channels: number;
  readonly samples: number;
  /** Version and layer bits: the same throughout a stream. */
  readonly kind: number;
}

// Kilobit/s by [table][index]: MPEG-1 layers I, II, III, then MPEG-2/2.5 layer I and layers II/III.
const BITRATES = [
  [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const MPEG1_RATES = [44100, 48000, 32000];

/** The header at `at`, or undefined where there is none. */
function parseHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (at + 4 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1] & 0xe0) !== 0xe0) return undefined;
  const version = (bytes[at + 1] >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const layer = 4 - ((bytes[at + 1] >> 1) & 3);
  const bitrateIndex = bytes[at + 2] >> 4;
  const rateIndex = (bytes[at + 2] >> 2) & 3;
  if (version === 1 || layer === 4 || rateIndex === 3 || bitrateIndex === 0 || bitrateIndex === 15) return;
  const table = version === 3 ? layer - 1 : layer === 1 ? 3 : 4;
  const bitrate = BITRATES[table][bitrateIndex] * 1000;
  const sampleRate = MPEG1_RATES[rateIndex] / (version === 3 ? 1 : version === 2 ? 2 : 4);
  const padding = (bytes[at + 2] >> 1) & 1;
  const samples = layer === 1 ? 384 : layer === 2 || version === 3 ? 1152 : 576;
  const length =
    layer === 1
      ? (Math.floor((12 * bitrate) / sampleRate) + padding) * 4
      : Math.floor(((samples / 8) * bitrate) / sampleRate) + padding;
  const channels = bytes[at + 3] >> 6 === 3 ? 1 : 2;
  return { length, sampleRate, channels, samples, kind: bytes[at + 1] & 0x1e };
}

/** Bytes an ID3v2 tag at the start takes; 0 without one. */
export function id3Length(bytes: Uint8Array): number {
  if (bytes.length < 10 || bytes[0] !== 0x49 || bytes[1] !== 0x44 || bytes[2] !== 0x33) return 0;
  const size = (bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9];
  return 10 + size + (bytes[5] & 0x10 ? 10 : 0);
}

/** Whether MPEG audio starts here: a frame header followed by a second one of the same kind, or the end. */
export function looksLikeMp3(bytes: Uint8Array): boolean {
  const first = parseHeader(bytes, 0);
  if (!first) return false;
  if (first.length >= bytes.length) return true;
  return parseHeader(bytes, first.length)?.kind === first.kind;
}

function scan(bytes: Uint8Array, name: string): { info: Mp3Info; frames: Mp3Frame[] } {
  const frames: Mp3Frame[] = [];
  let first: FrameHeader | undefined;
  let damaged = false;
  let samples = 0;
  let end = bytes.length;
  // ID3v1 ("TAG", 128 bytes) may close the file.
  if (end >= 128 && String.fromCharCode(...bytes.subarray(end - 128, end - 125)) === 'TAG') end -= 128;
  for (let at = id3Length(bytes); at + 4 <= end; ) {
    const header = parseHeader(bytes, at);
    const fits = header && (!first || (header.kind === first.kind && header.sampleRate === first.sampleRate));
    // A lone sync pattern inside garbage is no frame: the next header has to follow, or the file to end.
    const next = header ? at + header.length : 0;
    if (header && fits && (next >= end - 4 || parseHeader(bytes, next) || frames.length > 0)) {
      if (next > end) {
        damaged = true;
        break;
      }
      first ??= header;
      frames.push({ start: at, length: header.length });
      samples += header.samples;
      at = next;
      continue;
    }
    // APEv2 and Lyrics3 tags after the audio are no damage.
    const word = String.fromCharCode(...bytes.subarray(at, at + 4));
    if (word === 'APET' || word === 'LYRI') break;
    if (frames.length > 0 && bytes[at] !== 0) damaged = true;
    at++;
  }
  if (!first) {
    throw new AnemoneError({
      code: 'audio.corrupt',
      message: 'no MPEG audio frame found',
      position: { file: name },
    });
  }
  return {
    info: { sampleRate: first.sampleRate, channels: first.channels, frames: samples, damaged },
    frames,
  };
}

/** Facts from the frame headers, without decoding. Throws `audio.corrupt` when there is no frame. */
export function readMp3Info(bytes: Uint8Array, name = '<bytes>'): Mp3Info {
  return scan(bytes, name).info;
}

export interface DecodedMp3 {
  readonly channels: Float32Array[];
  readonly sampleRate: number;
  /** Samples of the file that were decoded: all of them, unless the end was not wanted. */
  readonly seen: number;
  readonly damaged: boolean;
}

/** MPEG frames handed to the decoder at once: some 8 s of music, 12 s of telephone speech. */
const FRAMES_A_BLOCK = 320;

/**
 * The samples of all channels, block by block, encoder delay and padding removed where a LAME header tells them. What
 * `bytes` holds is a tenth of what comes out.
 * @throws AnemoneError `audio.corrupt`
 */
export async function* mp3Blocks(
  bytes: Uint8Array,
  name = '<bytes>',
): AsyncGenerator<Float32Array[], void, undefined> {
  const { info, frames } = scan(bytes, name);
  const decoder = new MPEGDecoder();
  const decode = (start: number, end: number): Float32Array[] => {
    try {
      return decoder.decode(bytes.subarray(start, end)).channelData.slice(0, info.channels);
    } catch (cause) {
      throw gaveUp(cause, name);
    }
  };
  try {
    await decoder.ready;
    let found = false;
    // Adjoining frames go in together.
    for (let i = 0; i < frames.length; ) {
      const start = frames[i].start;
      let end = start;
      const last = i + FRAMES_A_BLOCK;
      while (i < Math.min(last, frames.length) && frames[i].start === end) end += frames[i++].length;
      const channels = decode(start, end);
      if (channels.length === 0 || channels[0].length === 0) continue;
      found = true;
      yield channels;
    }
    if (!found) throw gaveUp(new Error('no samples came out'), name);
  } finally {
    decoder.free();
  }
}

/**
 * Decodes a file, or `count` samples of it from `start` on; only these are kept, and nothing after them is decoded.
 * @throws AnemoneError `audio.corrupt`
 */
export async function decodeMp3(
  bytes: Uint8Array,
  name = '<bytes>',
  start = 0,
  count = Number.POSITIVE_INFINITY,
): Promise<DecodedMp3> {
  const info = readMp3Info(bytes, name);
  const pieces: Float32Array[][] = [];
  let at = 0;
  for await (const piece of mp3Blocks(bytes, name)) {
    const { length } = piece[0];
    const [from, to] = [Math.max(0, start - at), Math.min(length, start + count - at)];
    if (to > from) pieces.push(piece.map((channel) => channel.subarray(from, to)));
    at += length;
    if (at >= start + count) break;
  }
  const channels = Array.from({ length: info.channels }, (_, c) => concatenate(pieces.map((p) => p[c])));
  return { channels, sampleRate: info.sampleRate, seen: at, damaged: info.damaged };
}

function gaveUp(cause: unknown, file: string): AnemoneError {
  return new AnemoneError({
    code: 'audio.corrupt',
    message: `the MPEG decoder gave up: ${cause instanceof Error ? cause.message : String(cause)}`,
    position: { file },
    cause,
  });
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
