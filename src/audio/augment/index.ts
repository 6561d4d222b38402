// Waveform augmentation.
export {
  type AugmentationContext,
  type AugmentationFactory,
  type AugmentationRegistry,
  OptionReader,
  type WaveformAugmentation,
} from './augmentation.js';
export {
  type AugmentationMaker,
  Augmentor,
  type AugmentorOptions,
  type AugmentorReading,
  type AugmentorRecipe,
  type AugmentorStep,
  augmentorOf,
  BUILTIN_AUGMENTATIONS,
  readSteps,
} from './augmentor.js';
export { ClipSource } from './clips.js';
export { augmentationComponents, waveformAugmentationKind } from './components.js';
export { convolve, reverberate } from './convolve.js';
export { Gain, Shift, Silence, WhiteNoise } from './level.js';
export { Impulse, Noise, type NoiseOptions } from './recordings.js';
export { type RoomOptions, roomResponse, SimulatedRoom } from './room.js';
export { Pitch, type RateChoice, Speed, TimeStretch } from './tempo.js';
export { timeStretch } from './wsola.js';
