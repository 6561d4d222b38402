// A recording block by block, for what is too long to be in memory at once: the samples that decodeAudio gives, in
// order. WAV and FLAC are read as they are needed; of MP3 the compressed file is in memory, and decoded as needed.
import { AnemoneError } from '../errors/index.js';
import {
  type ByteSource,
  fileSource,
  mp3Blocks,
  openFlac,
  readFlac,
  readMp3Info,
  readWavFrames,
  readWavInfo,
} from '../formats/index.js';
import { type ChannelSelector, mixChannels } from './channels.js';
import type { DecodeOptions } from './decode.js';
import { type Resampler, resample } from './resample.js';
import { SampleQueue } from './sample-queue.js';
import { sniffAudio } from './sniff.js';

/** Which part of a recording is read, and at which rate; each key means what it does for `decodeAudio`. */
export type AudioBlocksOptions = Pick<
  DecodeOptions,
  'offset' | 'duration' | 'targetSampleRate' | 'channelSelector' | 'resampler'
>;

/** Seconds a block, about. */
const BLOCK = 8;
/** Samples a block of all channels, at most: headers may claim 65,535 channels. */
const BLOCK_SAMPLES = 2 ** 24;
/** Seconds on both sides of what is resampled; its filters reach some hundredths of one. */
const MARGIN = 1;

/** Mono blocks of some seconds, of `path`. @throws AnemoneError as `decodeAudio` does */
export async function* audioBlocks(
  path: string,
  options: AudioBlocksOptions = {},
): AsyncGenerator<Float32Array, void, undefined> {
  const file = await fileSource(path, 'audio');
  try {
    const { format, source } = await sniffAudio(file);
    const { sampleRate: rate, blocks } = await RECORDINGS[format](source);
    const start = Math.round((options.offset ?? 0) * rate);
    const end = options.duration === undefined ? Number.POSITIVE_INFINITY : start + Math.round(options.duration * rate); // biome-ignore format: one line reads better
    const wantedBlocks = segment(blocks(start), start, end, options.channelSelector ?? 'average', source);
    yield* resampled(wantedBlocks, rate, options.targetSampleRate ?? rate, options.resampler);
  } finally {
    await file.close();
  }
}

/** Pieces of all channels and where they begin. */
type Pieces = AsyncIterable<readonly [position: number, channels: readonly Float32Array[]]>;

interface Recording {
  readonly sampleRate: number;
  /** Pieces of samples, the first beginning at about sample `start`. */
  readonly blocks: (start: number) => Pieces;
}

async function wavBlocks(source: ByteSource): Promise<Recording> {
  const info = await readWavInfo(source);
  return {
    sampleRate: info.sampleRate,
    blocks: async function* (start) {
      const step = Math.ceil(Math.min(BLOCK * info.sampleRate, BLOCK_SAMPLES / info.channels));
      for (let at = start; at < info.frames; at += step) {
        yield [at, await readWavFrames(source, info, at, step)] as const;
      }
      if (info.declaredFrames > info.frames) {
        throw new AnemoneError({
          code: 'audio.truncated',
          message: `the file ends early: ${info.frames} of ${info.declaredFrames} promised samples are there`,
          position: { file: source.name },
          hint: 'fetch or convert the file again',
        });
      }
    },
  };
}

async function flacBlocks(source: ByteSource): Promise<Recording> {
  const info = await openFlac(source);
  return {
    sampleRate: info.sampleRate,
    blocks: async function* () {
      let at = 0;
      for await (const channels of readFlac(source, info)) {
        yield [at, channels] as const;
        at += channels[0].length;
      }
    },
  };
}

async function mp3Recording(source: ByteSource): Promise<Recording> {
  const bytes = await source.read(0, source.size);
  return {
    sampleRate: readMp3Info(bytes, source.name).sampleRate,
    blocks: async function* () {
      let at = 0;
      for await (const channels of mp3Blocks(bytes, source.name)) {
        yield [at, channels] as const;
        at += channels[0].length;
      }
    },
  };
}

const RECORDINGS = { wav: wavBlocks, flac: flacBlocks, mp3: mp3Recording } as const;

/** Samples [start, end) of pieces, mixed. */
async function* segment(
  pieces: Pieces,
  start: number,
  end: number,
  selector: ChannelSelector,
  { name: file }: ByteSource,
): AsyncGenerator<Float32Array, void, undefined> {
  let foundFrames = 0;
  for await (const [at, channels] of pieces) {
    const [from, to] = [Math.max(0, start - at), Math.min(channels[0].length, end - at)];
    if (to > from) {
      foundFrames += to - from;
      yield mixChannels(channels, selector, file).slice(from, to);
    }
    if (at + channels[0].length >= end) return;
  }
  if (foundFrames > 0) return;
  throw start > 0
    ? new AnemoneError({ code: 'audio.range', message: 'the offset lies beyond the end', position: { file } })
    : new AnemoneError({
        code: 'audio.empty',
        message: 'the file holds no audio samples',
        position: { file },
      });
}

/** Resamples whole seconds at a time, for a whole second is a whole number of samples at both rates. */
async function* resampled(
  blocks: AsyncIterable<Float32Array>,
  from: number,
  to: number,
  resampler: Resampler | undefined,
): AsyncGenerator<Float32Array, void, undefined> {
  if (from === to) {
    yield* blocks;
    return;
  }
  const queue = new SampleQueue();
  let second = 0;
  const piece = (until: number): Float32Array => {
    const first = Math.max(0, second - MARGIN);
    const input = queue.read(first * from, Math.min(queue.end, (until + MARGIN) * from));
    const output = resample(input, from, to, resampler);
    return output.slice((second - first) * to, (until - first) * to);
  };
  for await (const block of blocks) {
    queue.push(block);
    while (queue.end >= (second + BLOCK + MARGIN) * from) {
      yield piece(second + BLOCK);
      second += BLOCK;
      queue.forget((second - MARGIN) * from);
    }
  }
  if (queue.end > second * from) yield piece(Math.ceil(queue.end / from));
}
