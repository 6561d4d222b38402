// The features models see.
export { addDither } from './dither.js';
export { ComplexFft, type RealTransform, realTransform } from './fft.js';
export {
  type FixedNormalization,
  MEL_DEFAULTS,
  type MelConfig,
  type NemoCompat,
  type ResolvedMel,
  resolveMelConfig,
} from './mel-config.js';
export { hzToMel, melFilterbank, melToHz } from './mel-filterbank.js';
export {
  type ComputeOptions,
  type MelBatch,
  type MelFeatures,
  MelFrontEnd,
  type MelTables,
} from './mel-front-end.js';
export { analysisWindow, WINDOW_TYPES, type WindowType } from './windows.js';
