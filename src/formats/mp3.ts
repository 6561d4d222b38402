// MPEG audio (layers I to III): hands whole frames to the mpg123 decoder (WebAssembly), and turns what goes wrong there
// into errors. The frames are found before (mp3-frames.ts) because the decoder never returns when it cannot find its way
// in garbage.
import { AnemoneError } from '../errors/index.js';
import { joined } from './joined.js';
import { type Mp3Info, scanMp3 } from './mp3-frames.js';

/** Facts from the frame headers, without decoding. Throws `audio.corrupt` when there is no frame. */
export function readMp3Info(bytes: Uint8Array, name = '<bytes>'): Mp3Info {
  return scanMp3(bytes, name).info;
}

/** Samples of an MPEG audio file, channel by channel, full scale [-1, 1]. */
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
  const { info, frames } = scanMp3(bytes, name);
  const { MPEGDecoder } = await import('mpg123-decoder');
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
    let wasFound = false;
    // Adjoining frames go in together.
    for (let i = 0; i < frames.length; ) {
      const start = frames[i].start;
      let end = start;
      const last = i + FRAMES_A_BLOCK;
      while (i < Math.min(last, frames.length) && frames[i].start === end) end += frames[i++].length;
      const channels = decode(start, end);
      if (channels.length === 0 || channels[0].length === 0) continue;
      wasFound = true;
      yield channels;
    }
    if (!wasFound) throw gaveUp(new Error('no samples came out'), name);
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
  const channels = Array.from({ length: info.channels }, (_, c) => joined(pieces.map((p) => p[c])));
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
