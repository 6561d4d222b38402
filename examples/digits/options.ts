// How much data the preparation makes, and from which seed. The defaults are the quickstart's.
import type { VoiceCounts } from './voices.js';

export interface PrepareOptions {
  /** Folder that receives `audio/` and `train.json`, `dev.json`, `test.json`. */
  readonly out: string;
  /** Same seed, same data, whatever the number of workers. */
  readonly seed: number;
  readonly trainVoices: VoiceCounts;
  readonly devVoices: VoiceCounts;
  /** Strings a training voice says in one breath, and spliced from words. */
  readonly trainStrings: { readonly fluent: number; readonly spliced: number };
  readonly devStrings: { readonly fluent: number; readonly spliced: number };
  /** Test strings of each human voice. */
  readonly testStrings: number;
  /** Threads that synthesise. */
  readonly workers: number;
}

export const DEFAULT_OPTIONS: PrepareOptions = {
  out: 'quickstart-data',
  seed: 1,
  trainVoices: { flite: 96, espeak: 120, gnuspeech: 24 },
  devVoices: { flite: 16, espeak: 16, gnuspeech: 4 },
  trainStrings: { fluent: 4, spliced: 10 },
  devStrings: { fluent: 2, spliced: 4 },
  testStrings: 200,
  workers: 2,
};
