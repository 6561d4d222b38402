// Waveform augmentation.
export {
  type AugmentationContext,
  type AugmentationFactory,
  type AugmentationRegistry,
  OptionReader,
  type WaveformAugmentation,
} from './augmentation.js';
export {
  Augmentor,
  type AugmentorOptions,
  type AugmentorReading,
  type AugmentorStep,
  BUILTIN_AUGMENTATIONS,
  readSteps,
} from './augmentor.js';
export { ClipSource } from './clips.js';
export { convolve, reverberate } from './convolve.js';
export { Gain, Shift, Silence, WhiteNoise } from './level.js';
export { Impulse, Noise, type NoiseOptions } from './recordings.js';
export { type RoomOptions, roomResponse, SimulatedRoom } from './room.js';
export { Pitch, type RateChoice, Speed, TimeStretch } from './tempo.js';
export { timeStretch } from './wsola.js';
