// What the loader's pipeline is made of, and what travels to its worker threads: plain data only.
import type {
  Augmentor,
  AugmentorRecipe,
  ChannelSelector,
  FeatureAugmentation,
  FrontEnd,
  Resampler,
  WorkerRecipe,
} from '../../../audio/index.js';
import type { ArchivePlace } from '../manifest/index.js';

/** How recordings become features; the same for all batches of a source. */
export interface PipelineOptions {
  /** Default `average`. */
  readonly channelSelector?: ChannelSelector | undefined;
  /** Default `best`. */
  readonly resampler?: Resampler | undefined;
  /** Cut silence off both ends, before augmentation. */
  readonly trimSilence?: boolean;
  /** Turns dither and augmentation on. */
  readonly training: boolean;
  readonly seed: number;
  /** Seconds an utterance may have; see DecodeOptions. */
  readonly maxSeconds?: number;
  /** Folder of cached features of exactly this front end. */
  readonly cacheFolder?: string;
  /** Shorter waveforms get silence on both sides. Default: none. */
  readonly shortestSeconds?: number | undefined;
}

/** The same with the bricks that do it. */
export interface PipelineConfig extends PipelineOptions {
  readonly frontEnd: FrontEnd;
  /** Waveform augmentation, training only. */
  readonly augmentor?: Augmentor | undefined;
  /** Training only. */
  readonly specAugment?: FeatureAugmentation | undefined;
}

/** The same as it travels to a worker thread: how the bricks are made there. */
export interface PipelineRecipe {
  readonly settings: PipelineOptions;
  readonly frontEnd: WorkerRecipe;
  readonly augmentor: AugmentorRecipe | undefined;
  readonly specAugment: WorkerRecipe | undefined;
}

/** One recording, or waveform given in memory. */
export interface UtteranceRef {
  /** Number in the data set: with the epoch it selects the random stream. */
  readonly index: number;
  readonly path: string;
  /** Seconds. */
  readonly offset: number;
  /** Seconds; absent reads to the end. */
  readonly duration?: number | undefined;
  /** Where the recording lies in an archive; `path` then only names it. */
  readonly archive?: ArchivePlace;
  /** Mono waveform, used instead of the file. */
  readonly samples?: Float32Array;
  /** Hz of `samples`; default the front end's. */
  readonly sampleRate?: number | undefined;
}

export interface BatchTask {
  readonly items: readonly UtteranceRef[];
  readonly epoch: number;
  /** Frames the batch was planned with; more only if an utterance turns out longer. */
  readonly frames: number;
  /** Frame counts batches may have, ascending: what a batch that grew is rounded up to. */
  readonly rungs: readonly number[];
  /** Rows of unusable utterances repeat a usable one, so that the batch keeps its shape. */
  readonly refill: boolean;
  /** New features may be written to the cache. */
  readonly cacheWrite: boolean;
}

export interface ItemFailure {
  /** Place in `BatchTask.items`. */
  readonly item: number;
  readonly code: string;
  readonly message: string;
}

export interface BatchFeatures {
  /** [rows, frames, bins], `pad_value` after each utterance's own frames. */
  readonly features: Float32Array;
  readonly shape: readonly [rows: number, frames: number, bins: number];
  /** [rows] valid frames. */
  readonly lengths: Int32Array;
  /** Frames that the longest utterance has after the front end's own padding: NeMo's batch would have no more. */
  readonly batchFrames: number;
  /** Which item each row holds. */
  readonly rows: readonly number[];
  /** Seconds of audio that went in. */
  readonly seconds: number;
  readonly failures: readonly ItemFailure[];
  /** Utterances read from the cache, and bytes added to it. */
  readonly cacheHits: number;
  readonly cacheBytes: number;
}
