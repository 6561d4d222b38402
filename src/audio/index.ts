// Audio: reading recordings, changing their rate, augmenting them, and the features models see.
export { type AudioBlocksOptions, audioBlocks } from './audio-blocks.js';
export * from './augment/index.js';
export { type ChannelSelector, mixChannels } from './channels.js';
export {
  type AudioInfo,
  type AudioWarning,
  audioInfo,
  type DecodedAudio,
  type DecodeOptions,
  decodeAudio,
  MAX_SECONDS,
} from './decode.js';
export * from './features/index.js';
export { madeOf, type Portable, plainCopy, recipeOf, type WorkerRecipe } from './portable.js';
export { RESAMPLERS, type Resampler, resample } from './resample.js';
export { SampleQueue } from './sample-queue.js';
export type { AudioFormat } from './sniff.js';
export {
  type FeatureAugmentation,
  SPEC_AUGMENT_DEFAULTS,
  type SpecAugmentConfig,
  SpectrogramAugmentation,
  spectrogramAugmentation,
} from './spec-augment.js';
export { trimSilence } from './trim.js';
