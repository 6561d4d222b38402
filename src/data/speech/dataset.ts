// Data sets of speech.
import type { FrontEnd } from '../../audio/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { PlannedSet } from './batching/index.js';
import { type ManifestEntry, utteranceName } from './manifest/index.js';
import type { UtteranceRef } from './pipeline/task.js';

/** One utterance, without its audio. */
export interface Utterance {
  readonly ref: UtteranceRef;
  /** For reports: path and offset. */
  readonly name: string;
  /** Where to look for a mistake: `manifest:line`. */
  readonly origin: string;
  readonly text: string;
  /** Of the text, where the manifest says it. */
  readonly lang?: string;
  /** Further keys of its manifest line. */
  readonly custom?: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly seconds: number;
}

/** Turns a transcript into token ids. */
export type Tokenize = (text: string, utterance: Utterance) => ArrayLike<number>;

/**
 * The utterances of a source, ready to be planned: where each comes from, how long it is, its tokens. Holds no audio
 * (except waveforms that were given in memory).
 */
export class SpeechDataset implements PlannedSet {
  readonly seconds: Float64Array;
  /** Tokens of each transcript. */
  readonly tokens: Int32Array;
  readonly frameSeconds: number;
  /** Token ids of all transcripts, one after the other. */
  private readonly ids: Int32Array;
  private readonly starts: Float64Array;

  /** @param encoded token ids of each transcript */
  constructor(
    readonly utterances: readonly Utterance[],
    encoded: readonly ArrayLike<number>[],
    private readonly frontEnd: FrontEnd,
    private readonly stretchOf?: (epoch: number, index: number) => number,
    /** Tokens of each transcript's prompt, the first of `encoded`; absent without prompts. */
    readonly promptTokens?: readonly number[],
    /** The number of each utterance's prompt; absent for models without. */
    readonly promptIndices?: readonly number[],
  ) {
    const { hop, sample_rate } = this.frontEnd.config;
    this.frameSeconds = hop / sample_rate;
    this.seconds = Float64Array.from(utterances, (u) => u.seconds);
    this.tokens = Int32Array.from(encoded, (ids) => ids.length);
    this.starts = new Float64Array(utterances.length);
    const total = encoded.reduce((sum, ids, i) => {
      this.starts[i] = sum;
      return sum + ids.length;
    }, 0);
    this.ids = new Int32Array(total);
    encoded.forEach((ids, i) => {
      this.ids.set(ids, this.starts[i]);
    });
  }

  /** Number of utterances. */
  get length(): number {
    return this.utterances.length;
  }

  /** Token ids of one transcript. */
  tokenIds(index: number): Int32Array {
    return this.ids.subarray(this.starts[index], this.starts[index] + this.tokens[index]);
  }

  frames(seconds: number): number {
    return this.frontEnd.frameCount(Math.round(seconds * this.frontEnd.config.sample_rate));
  }

  padFrames(frames: number): number {
    return this.frontEnd.padFrames(frames);
  }

  stretch(epoch: number, index: number): number {
    return this.stretchOf ? this.stretchOf(epoch, index) : 1;
  }
}

/** The utterances of manifest entries, numbered in their order. */
export function utterancesOf(entries: readonly ManifestEntry[]): Utterance[] {
  return entries.map((entry, index) => ({
    ref: {
      index,
      path: entry.audioPath,
      offset: entry.offset,
      duration: entry.duration,
      ...(entry.archive ? { archive: entry.archive } : {}),
    },
    name: utteranceName(entry),
    origin: entry.source.line === undefined ? entry.source.file : `${entry.source.file}:${entry.source.line}`,
    text: entry.text,
    ...(entry.lang !== undefined && { lang: entry.lang }),
    ...(entry.custom ? { custom: entry.custom } : {}),
    seconds: entry.duration,
  }));
}

/**
 * Token ids of all transcripts.
 * @throws AnemoneError with the manifest line, where the tokenizer refuses a transcript
 */
export function encodeTranscripts(utterances: readonly Utterance[], tokenize: Tokenize): ArrayLike<number>[] {
  return utterances.map((utterance) => {
    const { text, origin } = utterance;
    try {
      return tokenize(text, utterance);
    } catch (cause) {
      if (!(cause instanceof AnemoneError)) throw cause;
      const { code, message, hint } = cause;
      throw new AnemoneError({ code, message: `${origin}: ${message}`, hint, cause });
    }
  });
}
