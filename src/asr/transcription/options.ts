// Options of transcriptions.
import type { Resampler } from '../../audio/index.js';
import type { Engine } from '../../engine/index.js';
import type { PromptSlots } from '../../text/index.js';
import type { TimestampType } from '../decoding/shared-config.js';

/** How buffers become one text; see docs/streaming.md. */
export const MERGES = ['state', 'middle', 'lcs'] as const;
/** One of {@link MERGES}. */
export type BufferMerge = (typeof MERGES)[number];

/** What a caller may say of a transcription. */
export interface TranscribeOptions {
  /** Where the weights are. Default: the engine the model was made with. */
  readonly engine?: Engine | undefined;
  /** Utterances a batch; recordings of more than half a minute make smaller ones. Default 8. */
  readonly batchSize?: number | undefined;
  /** Threads that decode and compute features; 0 is the main thread. Default: half the cores, none for a handful. */
  readonly workers?: number | undefined;
  /** How recordings of another rate become ones of the model's: `best` (default), or as NeMo does: `scipy`, `torchaudio`. */
  readonly resampler?: Resampler | undefined;
  /** Timestamps of characters, words, segments or all of them (`true`); default as `decoding` says. */
  readonly timestamps?: boolean | TimestampType | undefined;
  /**
   * For recordings of any length: the model hears `bufferSeconds` at a time and the middle `chunkSeconds` count.
   * Default: whole recordings.
   */
  readonly chunkSeconds?: number | undefined;
  /** Default 1.4 times the chunk. */
  readonly bufferSeconds?: number | undefined;
  /** How buffers become one text: `state` (default), `middle` or `lcs`; see docs/streaming.md. */
  readonly merge?: BufferMerge | undefined;
  /**
   * What a multitask model is to write: source_lang, target_lang, task, pnc, …; an input's own `prompt` comes first.
   * Other models have no prompt.
   */
  readonly prompt?: PromptSlots | undefined;
  /** Ends the transcription with `engine.cancelled` when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch with the number of utterances done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /**
   * Called for an input that cannot be used, with its place in `audio`; its transcript is then empty.
   * Without it, such an input ends the call.
   */
  readonly onBad?: ((index: number, message: string) => void) | undefined;
}
