// A FLAC file frame by frame from the beginning, with a window of its bytes in memory and not the whole of it.
import { AnemoneError } from '../errors/index.js';
import { id3Length, onlyTagsFollow } from './audio-tags.js';
import type { ByteSource } from './byte-source.js';
import { type FlacInfo, readFlacInfo } from './flac.js';
import { FlacDamage, type FlacScratch, readFlacFrame } from './flac-frame.js';

/** Bytes read at a time; frames are a tenth of it at most, but for exotic ones. */
const WINDOW = 1 << 18;

/**
 * Yields one array a channel for each frame, integers divided by 2^(bits-1).
 * @param window bytes in memory; default 256 KiB
 * @throws AnemoneError `audio.corrupt`, `audio.truncated`
 */
export async function* readFlac(
  source: ByteSource,
  info: FlacInfo,
  window = WINDOW,
): AsyncGenerator<Float32Array[], void, undefined> {
  const scratch: FlacScratch = [];
  const scale = 2 ** (info.bitsPerSample - 1);
  let [offset, at, size, position] = [info.audioOffset, 0, window, 0];
  let bytes = await source.read(offset, size);
  const isLast = (): boolean => offset + bytes.length >= source.size;
  while (position < (info.frames ?? Number.POSITIVE_INFINITY) && offset + at < source.size) {
    try {
      if (!isLast() && bytes.length - at < window / 8) throw new FlacDamage('end of the window', true);
      const frame = readFlacFrame(bytes, at, info.bitsPerSample, scratch);
      const { blockSize, channels } = frame.header;
      if (channels !== info.channels) throw new FlacDamage('channel count changes', false);
      yield Array.from({ length: info.channels }, (_, c) =>
        Float32Array.from({ length: blockSize }, (__, i) => frame.samples[c][i] / scale),
      );
      [position, at, size] = [position + blockSize, frame.end, window];
    } catch (cause) {
      if (!(cause instanceof FlacDamage)) throw cause;
      if (isLast()) {
        if (info.frames === undefined && position > 0 && onlyTagsFollow(bytes, at)) return;
        throw damage(cause, source.name, offset + at, position / info.sampleRate);
      }
      // What looks damaged may be cut off by the window: move it, and where that does not help, widen it.
      if (at === 0) size *= 2;
      [offset, at] = [offset + at, 0];
      bytes = await source.read(offset, size);
    }
  }
  if (info.frames !== undefined && position < info.frames) {
    throw damage(
      new FlacDamage('the file ends early', true),
      source.name,
      source.size,
      position / info.sampleRate,
    );
  }
}

/** The stream's facts, from the beginning of a source. */
export async function openFlac(source: ByteSource): Promise<FlacInfo> {
  // A tag before the stream may hold a picture.
  const tag = id3Length(await source.read(0, 10));
  for (let size = tag + (1 << 16); ; size *= 4) {
    const info = readFlacInfo(await source.read(0, size), source.name);
    if (info.audioOffset <= size || size >= source.size) return info;
  }
}

function damage(cause: FlacDamage, file: string, byte: number, seconds: number): AnemoneError {
  return new AnemoneError({
    code: cause.truncated ? 'audio.truncated' : 'audio.corrupt',
    message: `FLAC frame at byte ${byte} (${seconds.toFixed(2)} s) is damaged: ${cause.message}`,
    position: { file },
    cause,
  });
}
