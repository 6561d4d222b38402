// FLAC files: stream info, then frames decoded one after the other until the wanted samples are there.
// Written by hand because the packaged decoder loses the exact integers (it divides by 2^(b-1) - 1), reports
// damage on the console and cannot stop early. FLAC inside Ogg is not read.
import { AnemoneError } from '../errors/index.js';
import { id3Length, onlyTagsFollow } from './audio-tags.js';
import { FlacDamage, type FlacScratch, readFlacFrame } from './flac-frame.js';

/** What the STREAMINFO block of a FLAC file says. */
export interface FlacInfo {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  /** Samples a channel; undefined when the encoder did not know. */
  readonly frames: number | undefined;
  /** Byte offset of the first audio frame. */
  readonly audioOffset: number;
}

/**
 * Reads the metadata blocks. `bytes` may be only the start of the file if it covers the stream info;
 * then `audioOffset` is the offset of the last block found.
 * @throws AnemoneError `audio.corrupt`
 */
export function readFlacInfo(bytes: Uint8Array, name = '<bytes>'): FlacInfo {
  const corrupt = (message: string) =>
    new AnemoneError({ code: 'audio.corrupt', message, position: { file: name } });
  const start = id3Length(bytes);
  if (String.fromCharCode(...bytes.subarray(start, start + 4)) !== 'fLaC')
    throw corrupt('no FLAC stream marker');
  let at = start + 4;
  let info: Omit<FlacInfo, 'audioOffset'> | undefined;
  for (let last = false; !last && at + 4 <= bytes.length; ) {
    last = (bytes[at] & 0x80) !== 0;
    const type = bytes[at] & 0x7f;
    const size = (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    if (type === 0 && size >= 18 && at + 22 <= bytes.length) info = streamInfo(bytes.subarray(at + 4));
    at += 4 + size;
  }
  if (!info) throw corrupt('no stream info block');
  // Below 100 Hz a header is damaged, and a second of such audio would become millions of samples.
  if (info.sampleRate < 100 || info.bitsPerSample < 4) throw corrupt('stream info makes no sense');
  return { ...info, audioOffset: at };
}

function streamInfo(b: Uint8Array): Omit<FlacInfo, 'audioOffset'> {
  const frames = (b[13] & 15) * 2 ** 32 + (b[14] * 2 ** 24 + b[15] * 2 ** 16 + b[16] * 2 ** 8 + b[17]);
  return {
    sampleRate: (b[10] << 12) | (b[11] << 4) | (b[12] >> 4),
    channels: ((b[12] >> 1) & 7) + 1,
    bitsPerSample: (((b[12] & 1) << 4) | (b[13] >> 4)) + 1,
    frames: frames === 0 ? undefined : frames,
  };
}

/** Bytes of the shortest frame: a header of 6 with its checksum, a constant of 2 for samples of 4 bits, a checksum of 2. */
const SHORTEST_FRAME = 10;
/** Samples a channel of the longest frame. */
const LONGEST_BLOCK = 65_536;

/**
 * The samples that the stream info promises, as far as a file of `bytes` can hold them; 0 where it is silent or lies. Whoever
 * refuses a recording for its length may believe these, and has to decode the rest to know what is wrong with it.
 */
export function credibleFrames({ frames = 0 }: FlacInfo, bytes: number): number {
  return frames <= Math.floor(bytes / SHORTEST_FRAME) * LONGEST_BLOCK ? frames : 0;
}

/** Samples of a FLAC file, channel by channel. */
export interface DecodedFlac {
  /** One array a channel, integers divided by 2^(bits-1). */
  readonly channels: Float32Array[];
  readonly info: FlacInfo;
  /** Set when the stream ended early; what came before is in `channels`. */
  readonly truncated: boolean;
}

/** Samples of all channels together, 4 GiB: silence packs so well that a small file may hold more than any memory. */
const MAX_SAMPLES = 2 ** 30;

/**
 * Decodes samples `[start, start + count)`.
 * @throws AnemoneError `audio.corrupt` when a frame is damaged (checksums are verified), `audio.too-long`
 */
export function decodeFlac(
  bytes: Uint8Array,
  name = '<bytes>',
  start = 0,
  count = Number.POSITIVE_INFINITY,
): DecodedFlac {
  const info = readFlacInfo(bytes, name);
  const end = Math.min(start + count, info.frames ?? Number.POSITIVE_INFINITY);
  const wantedFrames = Math.max(0, end - start);
  // A header may claim 2^36 samples: no more memory is taken at first than audio of this size usually needs.
  const plausible = Math.min(
    wantedFrames,
    2 * bytes.length + 65_536,
    Math.floor(MAX_SAMPLES / info.channels),
  );
  let channels = Array.from({ length: info.channels }, () => new Float32Array(plausible));
  const scratch: FlacScratch = [];
  const scale = 2 ** (info.bitsPerSample - 1);
  let at = info.audioOffset;
  let position = 0;
  let filled = 0;
  let truncated = false;
  while (position < end && at < bytes.length) {
    try {
      const frame = readFlacFrame(bytes, at, info.bitsPerSample, scratch);
      if (frame.header.channels !== info.channels) throw new FlacDamage('channel count changes', false);
      const from = Math.max(0, start - position);
      const take = Math.min(frame.header.blockSize, end - position) - from;
      if (take > 0) {
        if ((filled + take) * info.channels > MAX_SAMPLES) throw tooLong(name);
        if (filled + take > channels[0].length) channels = grow(channels, filled + take, wantedFrames);
        for (let c = 0; c < info.channels; c++) {
          const source = frame.samples[c];
          const target = channels[c];
          for (let i = 0; i < take; i++) target[filled + i] = source[from + i] / scale;
        }
        filled += take;
      }
      position += frame.header.blockSize;
      at = frame.end;
    } catch (cause) {
      if (!(cause instanceof FlacDamage)) throw cause;
      // Where the header does not promise a length, tags and zeros may follow the audio.
      if (info.frames === undefined && position > 0 && onlyTagsFollow(bytes, at)) break;
      truncated = cause.truncated;
      if (truncated) break;
      const seconds = (position / info.sampleRate).toFixed(2);
      throw new AnemoneError({
        code: 'audio.corrupt',
        message: `FLAC frame at byte ${at} (${seconds} s) is damaged: ${cause.message}`,
        position: { file: name },
        cause,
      });
    }
  }
  if (info.frames !== undefined && position < end) truncated = true;
  return { channels: channels.map((c) => c.subarray(0, filled)), info, truncated };
}

function tooLong(file: string): AnemoneError {
  return new AnemoneError({
    code: 'audio.too-long',
    message: `more than ${MAX_SAMPLES} samples at once`,
    position: { file },
    hint: 'read it in parts, with offset and duration',
  });
}

/** Twice as long, but no longer than the `most` that are wanted. */
function grow(
  channels: readonly Float32Array[],
  atLeast: number,
  mostFrames: number,
): Float32Array<ArrayBuffer>[] {
  return channels.map((channel) => {
    const larger = new Float32Array(Math.max(atLeast, Math.min(channel.length * 2, mostFrames)));
    larger.set(channel);
    return larger;
  });
}
