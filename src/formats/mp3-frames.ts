// The frames of MPEG audio (layers I to III), found by their headers: where they stand, how long they are, and how many
// samples a decoder makes of them. Nothing is decoded here.
import { AnemoneError } from '../errors/index.js';
import { tagLength } from './audio-tags.js';

/** What the frame headers of an MPEG audio file say. */
export interface Mp3Info {
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples a channel that decoding gives: without encoder delay and padding where a LAME header tells them. */
  readonly frames: number;
  /** True when the last frame is cut off or bytes that are no frame were passed over. */
  readonly damaged: boolean;
}

export interface Mp3Frame {
  readonly start: number;
  readonly length: number;
}

interface FrameHeader {
  readonly length: number;
  readonly sampleRate: number;
  readonly channels: number;
  readonly samples: number;
  readonly layer: number;
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

/** The header at `at`, or undefined where there is none. The length of a frame in free format is 0: it is not told. */
function parseHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  if (at + 4 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1] & 0xe0) !== 0xe0) return undefined;
  const version = (bytes[at + 1] >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const layer = 4 - ((bytes[at + 1] >> 1) & 3);
  const bitrateIndex = bytes[at + 2] >> 4;
  const rateIndex = (bytes[at + 2] >> 2) & 3;
  if (version === 1 || layer === 4 || rateIndex === 3 || bitrateIndex === 15) return undefined;
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
  const kind = bytes[at + 1] & 0x1e;
  return { length: bitrate === 0 ? 0 : length, sampleRate, channels, samples, layer, kind };
}

const isAlike = (a: FrameHeader, b: FrameHeader | undefined) =>
  b !== undefined && a.kind === b.kind && a.sampleRate === b.sampleRate;

/** The header of a frame of known length. */
function frameAt(bytes: Uint8Array, at: number): FrameHeader | undefined {
  const header = parseHeader(bytes, at);
  return header && header.length > 0 ? header : undefined;
}

/** Whether MPEG audio starts at `at`: a frame header followed by a second one of its kind, or by the end. */
export function looksLikeMp3(bytes: Uint8Array, at = 0): boolean {
  const first = frameAt(bytes, at);
  if (!first) return false;
  const next = at + first.length;
  return next + 4 > bytes.length || isAlike(first, frameAt(bytes, next));
}

/** One or two headers turn up in garbage by chance; three that point to each other do not. */
const FRAMES_IN_GARBAGE = 3;

/**
 * Where MPEG audio begins: at byte 0, or behind bytes that are no frame. -1 where there is none.
 * @param bytes the beginning of a file, or all of it
 */
export function mp3Start(bytes: Uint8Array): number {
  if (looksLikeMp3(bytes)) return 0;
  for (let at = bytes.indexOf(0xff, 1); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    let end = at;
    for (let frames = 0; ; frames++) {
      if (frames === FRAMES_IN_GARBAGE) return at;
      const header = frameAt(bytes, end);
      if (!header || !isAlike(header, frameAt(bytes, at))) break;
      end += header.length;
    }
  }
  return -1;
}

/** Frames in free format are at most this long. */
const FREE_FORMAT = 8192;

/** Whether MPEG audio in free format (no bit rate in its headers) starts here; it is not decoded. */
export function isFreeFormat(bytes: Uint8Array): boolean {
  const first = parseHeader(bytes, 0);
  if (first?.length !== 0) return false;
  for (let at = 24; at < Math.min(FREE_FORMAT, bytes.length); at++) {
    const next = parseHeader(bytes, at);
    if (next?.length === 0 && isAlike(first, next) && next.channels === first.channels) return true;
  }
  return false;
}

/** What the first frame says of the others, in place of audio (Xing, Info; written by LAME and ffmpeg among others). */
interface InfoFrame {
  /** Frames of audio; 0 where it does not tell. */
  readonly frames: number;
  /** Samples that the encoder put before the audio. */
  readonly delay: number;
  /** Samples that it put behind, to fill the last frame. */
  readonly padding: number;
}

function infoFrame(bytes: Uint8Array, { start, length }: Mp3Frame): InfoFrame | undefined {
  const header = parseHeader(bytes, start);
  if (header?.layer !== 3) return undefined;
  const isMpeg1 = (header.kind & 0x18) === 0x18;
  const sideInfo = header.channels === 1 ? (isMpeg1 ? 17 : 9) : isMpeg1 ? 32 : 17;
  const frame = bytes.subarray(start + 4, start + length);
  const word = String.fromCharCode(...frame.subarray(sideInfo, sideInfo + 4));
  if (word !== 'Xing' && word !== 'Info') return undefined;
  // All zero before it, apart from a checksum.
  if (frame.subarray(2, sideInfo).some((byte) => byte !== 0)) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const has = (bytesFromTag: number) => sideInfo + bytesFromTag <= frame.length;
  const flags = has(8) ? view.getUint32(sideInfo + 4) : 0;
  const frames = flags & 1 && has(12) ? view.getUint32(sideInfo + 8) : 0;
  // Frames, bytes, table of contents, quality: each is there if its flag is.
  const at = 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  if (!has(at + 24) || frame[sideInfo + at] === 0) return { frames, delay: 0, padding: 0 };
  const gaps = view.getUint32(sideInfo + at + 20) & 0xffffff;
  return { frames, delay: gaps >> 12, padding: gaps & 0xfff };
}

/** Samples by which a layer III decoder lags. */
const DECODER_DELAY = 529;

/** mpg123 believes no total beyond this, and then removes neither delay nor padding. */
const MAX_PROMISED = 2 ** 29;

/** Samples that remain of `count` frames of audio, the way mpg123 removes delay and padding. */
function samplesLeft(count: number, samples: number, info: InfoFrame): number {
  const total = count * samples;
  if (info.frames === 0 || info.frames * samples > MAX_PROMISED) return total;
  const begin = Math.min(total, info.delay + DECODER_DELAY);
  const promisedSamples = Math.min(total, info.frames * samples);
  const end = Math.max(begin, info.frames * samples - info.padding + DECODER_DELAY);
  return total - begin - Math.max(0, promisedSamples - end);
}

/**
 * Walks all frames, passing over tags and what is no frame.
 * @throws AnemoneError `audio.corrupt` when there is no frame
 */
export function scanMp3(bytes: Uint8Array, name: string): { info: Mp3Info; frames: Mp3Frame[] } {
  const frames: Mp3Frame[] = [];
  let first: FrameHeader | undefined;
  let [damaged, samples] = [false, 0];
  for (let at = firstFrame(bytes, name); at + 4 <= bytes.length; ) {
    const header = frameAt(bytes, at);
    if (header && (!first || isAlike(first, header))) {
      if (at + header.length > bytes.length) {
        damaged = true;
        break;
      }
      first ??= header;
      frames.push({ start: at, length: header.length });
      samples += header.samples;
      at += header.length;
      continue;
    }
    const tag = tagLength(bytes, at);
    if (tag === 0 && bytes[at] !== 0) damaged = true;
    at += Math.max(1, tag);
  }
  if (!first) throw noFrame(name);
  const encoderInfo = infoFrame(bytes, frames[0]);
  const { sampleRate, channels } = first;
  const remainingSamples = encoderInfo ? samplesLeft(frames.length - 1, first.samples, encoderInfo) : samples;
  return { info: { sampleRate, channels, frames: remainingSamples, damaged }, frames };
}

function firstFrame(bytes: Uint8Array, name: string): number {
  let at = 0;
  for (let tag = tagLength(bytes, 0); tag > 0; tag = tagLength(bytes, at)) at += tag;
  while (bytes[at] === 0) at++;
  const start = mp3Start(bytes.subarray(at));
  if (start < 0) throw noFrame(name);
  return at + start;
}

function noFrame(file: string): AnemoneError {
  return new AnemoneError({
    code: 'audio.corrupt',
    message: 'no MPEG audio frame found',
    position: { file },
  });
}
