// From a file (or its bytes) to mono float samples at the wanted rate. The container is told by its first
// bytes, never by the file's name. Features and augmentation come after this.
import { extname } from 'node:path';
import { AnemoneError } from '../errors/index.js';
import {
  type ByteSource,
  credibleFrames,
  decodeFlac,
  decodeMp3,
  fileSource,
  memorySource,
  openFlac,
  readFlacInfo,
  readMp3Info,
  readWavFrames,
  readWavInfo,
} from '../formats/index.js';
import { type ChannelSelector, mixChannels } from './channels.js';
import { type Resampler, resample } from './resample.js';
import { type AudioFormat, sniffAudio } from './sniff.js';

/** Which part of a recording is decoded, and into what. */
export interface DecodeOptions {
  /** Seconds to skip. Default 0. */
  readonly offset?: number | undefined;
  /** Seconds to read. Default: to the end. */
  readonly duration?: number | undefined;
  /** Hz of the result. Default: the file's own rate. */
  readonly targetSampleRate?: number;
  /** Which channels make the mono result. Default `average`. */
  readonly channelSelector?: ChannelSelector | undefined;
  /** How a recording of another rate becomes one of `targetSampleRate`. Default `best`. */
  readonly resampler?: Resampler | undefined;
  /** Take what a truncated file still holds, with a warning, instead of failing. Default false. */
  readonly allowTruncated?: boolean;
  /** Seconds that may be decoded at once; a small file may hold days of silence. Default {@link MAX_SECONDS}. */
  readonly maxSeconds?: number | undefined;
}

/** Seconds of one recording, or segment of one, in memory. `audioBlocks` reads any length. */
export const MAX_SECONDS = 7200;
/** Samples of all channels at once, 2 GiB. */
const MAX_SAMPLES = 2 ** 29;

/** Something odd that did not stop the file from being read. */
export interface AudioWarning {
  readonly code: 'audio.mislabelled' | 'audio.truncated' | 'audio.damaged' | 'audio.short-segment';
  readonly message: string;
}

/** A decoded recording, mixed to one channel. */
export interface DecodedAudio {
  /** Mono, full scale is [-1, 1). */
  readonly samples: Float32Array;
  /** Hz of `samples`. */
  readonly sampleRate: number;
  /** Hz in the file. */
  readonly originalSampleRate: number;
  /** Channels in the file. */
  readonly channels: number;
  /** Seconds of `samples`. */
  readonly duration: number;
  readonly format: AudioFormat;
  readonly warnings: readonly AudioWarning[];
}

/** What a file's headers say, without decoding it. */
export interface AudioInfo {
  readonly format: AudioFormat;
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples a channel, as many as decoding gives. */
  readonly frames: number | undefined;
  /** Seconds; undefined where the file does not say (a FLAC written to a pipe). */
  readonly duration: number | undefined;
  readonly warnings: readonly AudioWarning[];
}

/**
 * Decodes WAV (PCM 8/16/24/32, float, G.711), FLAC or MP3, from a file, its bytes, or a source, which is closed.
 * @throws AnemoneError naming the file: `audio.missing`, `audio.unreadable`, `audio.empty`,
 *   `audio.truncated`, `audio.corrupt`, `audio.unknown-format`, `audio.range` (segment outside the file),
 *   `audio.channel` (no such channel), `audio.too-long` (more than `maxSeconds`)
 */
export async function decodeAudio(
  input: string | Uint8Array | ByteSource,
  options: DecodeOptions = {},
): Promise<DecodedAudio> {
  const file = await openSource(input);
  try {
    const { format, source } = await sniffAudio(file);
    const warnings = labelWarnings(source.name, format);
    const raw = await readSegment(source, format, options, warnings);
    const mono = mixChannels(raw.channels, options.channelSelector ?? 'average', source.name);
    const sampleRate = options.targetSampleRate ?? raw.sampleRate;
    const samples = resample(mono, raw.sampleRate, sampleRate, options.resampler);
    return {
      samples,
      sampleRate,
      originalSampleRate: raw.sampleRate,
      channels: raw.channels.length,
      duration: samples.length / sampleRate,
      format,
      warnings,
    };
  } finally {
    await file.close();
  }
}

/** Facts about a file without decoding it (an MP3 is scanned frame by frame). Throws as `decodeAudio`. */
export async function audioInfo(input: string | Uint8Array | ByteSource): Promise<AudioInfo> {
  const file = await openSource(input);
  try {
    const { format, source } = await sniffAudio(file);
    const warnings = labelWarnings(source.name, format);
    let facts: { sampleRate: number; channels: number; frames: number | undefined };
    if (format === 'wav') {
      const info = await readWavInfo(source);
      facts = info;
      if (info.declaredFrames > info.frames)
        warnings.push(truncatedWarning(info.frames, info.declaredFrames));
    } else if (format === 'flac') {
      facts = await openFlac(source);
    } else {
      const info = readMp3Info(await source.read(0, source.size), source.name);
      facts = info;
      if (info.damaged) warnings.push(damagedWarning);
    }
    const { sampleRate, channels, frames } = facts;
    if (frames === 0) throw emptyError(source.name);
    const duration = frames === undefined ? undefined : frames / sampleRate;
    return { format, sampleRate, channels, frames, duration, warnings };
  } finally {
    await file.close();
  }
}

const damagedWarning: AudioWarning = {
  code: 'audio.damaged',
  message: 'parts of the MPEG stream were passed over',
};

function truncatedWarning(have: number, promisedFrames: number): AudioWarning {
  return { code: 'audio.truncated', message: `${have} of ${promisedFrames} promised samples are there` };
}

function emptyError(file: string): AnemoneError {
  return new AnemoneError({
    code: 'audio.empty',
    message: 'the file holds no audio samples',
    position: { file },
  });
}

async function openSource(input: string | Uint8Array | ByteSource): Promise<ByteSource> {
  if (typeof input === 'string') return fileSource(input, 'audio');
  return input instanceof Uint8Array ? memorySource(input) : input;
}

const EXTENSIONS: Readonly<Record<string, AudioFormat>> = {
  '.wav': 'wav',
  '.wave': 'wav',
  '.flac': 'flac',
  '.mp3': 'mp3',
};

function labelWarnings(name: string, format: AudioFormat): AudioWarning[] {
  const label = EXTENSIONS[extname(name).toLowerCase()];
  if (label === undefined || label === format) return [];
  return [{ code: 'audio.mislabelled', message: `named ${extname(name)} but holds ${format.toUpperCase()}` }];
}

interface RawAudio {
  readonly channels: Float32Array[];
  readonly sampleRate: number;
}

async function readSegment(
  source: ByteSource,
  format: AudioFormat,
  options: DecodeOptions,
  warnings: AudioWarning[],
): Promise<RawAudio> {
  const offset = options.offset ?? 0;
  if (!(offset >= 0) || (options.duration !== undefined && !(options.duration > 0))) {
    throw new AnemoneError({
      code: 'audio.range',
      message: `cannot read ${options.duration} s from ${offset} s`,
      position: { file: source.name },
      hint: 'offset must be at least 0 and duration positive',
    });
  }
  /** `frames`: those that are there by what the headers say; one more than may be shows that a stream is too long. */
  const range = (rate: number, channels: number, frames = 0) => {
    const start = Math.round(offset * rate);
    const count =
      options.duration === undefined ? Number.POSITIVE_INFINITY : Math.round(options.duration * rate);
    const frameLimit = mostFrames(rate, channels, options);
    if (Math.min(count, frames - start) > frameLimit) throw tooLong(source.name, rate, frameLimit);
    return { start, count: Math.min(count, frameLimit + 1) };
  };
  let raw: RawAudio;
  let framesMissing = false;
  let total: number | undefined;
  if (format === 'wav') {
    const info = await readWavInfo(source);
    const { start, count } = range(info.sampleRate, info.channels, info.frames);
    total = info.declaredFrames;
    raw = { channels: await readWavFrames(source, info, start, count), sampleRate: info.sampleRate };
    framesMissing = Math.min(start + count, info.declaredFrames) > info.frames;
  } else if (format === 'flac') {
    const bytes = await source.read(0, source.size);
    const info = readFlacInfo(bytes, source.name);
    const { sampleRate, channels } = info;
    // What the header of a file that may be cut short promises says nothing of what is there.
    const promisedFrames = options.allowTruncated ? 0 : credibleFrames(info, bytes.length);
    const { start, count } = range(sampleRate, channels, promisedFrames);
    const decoded = decodeFlac(bytes, source.name, start, count);
    total = decoded.info.frames;
    raw = { channels: decoded.channels, sampleRate };
    framesMissing = decoded.truncated;
  } else {
    const bytes = await source.read(0, source.size);
    const { sampleRate, channels, frames } = readMp3Info(bytes, source.name);
    const { start, count } = range(sampleRate, channels, frames);
    const decoded = await decodeMp3(bytes, source.name, start, count);
    total = decoded.seen;
    raw = { channels: decoded.channels, sampleRate };
    if (decoded.damaged) warnings.push(damagedWarning);
  }
  const frameLimit = mostFrames(raw.sampleRate, raw.channels.length, options);
  if (raw.channels[0].length > frameLimit) throw tooLong(source.name, raw.sampleRate, frameLimit);
  checkSegment(source, raw, { missing: framesMissing, total }, options, warnings);
  return raw;
}

function mostFrames(rate: number, channels: number, { maxSeconds = MAX_SECONDS }: DecodeOptions): number {
  return Math.floor(Math.min(maxSeconds * rate, MAX_SAMPLES / channels));
}

function tooLong(file: string, rate: number, frameLimit: number): AnemoneError {
  return new AnemoneError({
    code: 'audio.too-long',
    message: `more than ${Math.floor(frameLimit / rate)} s of audio at once`,
    position: { file },
    hint: 'read it in segments (offset and duration); anemone transcribe --chunk hears any length',
  });
}

function checkSegment(
  source: ByteSource,
  raw: RawAudio,
  framesFound: { missing: boolean; total: number | undefined },
  options: DecodeOptions,
  warnings: AudioWarning[],
): void {
  const have = raw.channels[0].length;
  const file = source.name;
  if (framesFound.missing) {
    const warning = truncatedWarning(have, framesFound.total ?? have);
    if (!options.allowTruncated || have === 0) {
      throw new AnemoneError({
        code: 'audio.truncated',
        message: `the file ends early: ${warning.message}`,
        position: { file },
        hint: 'fetch or convert the file again',
      });
    }
    warnings.push(warning);
    return;
  }
  if (have === 0) {
    if ((options.offset ?? 0) === 0) throw emptyError(file);
    const length = ((framesFound.total ?? 0) / raw.sampleRate).toFixed(3);
    throw new AnemoneError({
      code: 'audio.range',
      message: `offset ${options.offset} s lies beyond the end (${length} s)`,
      position: { file },
    });
  }
  const wantedSeconds = options.duration ?? 0;
  const gotSeconds = have / raw.sampleRate;
  // Manifests round durations; only a difference one can hear is worth a word.
  if (gotSeconds < wantedSeconds - 0.05) {
    warnings.push({
      code: 'audio.short-segment',
      message: `${wantedSeconds} s were asked for, ${gotSeconds.toFixed(3)} s are there`,
    });
  }
}
