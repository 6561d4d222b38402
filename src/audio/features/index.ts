// The features models see.
export {
  createFrontEnd,
  type FrontEndConfig,
  isMfcc,
  nemoFrontEndConfig,
  resolveFrontEnd,
} from './create-front-end.js';
export { addDither } from './dither.js';
export { ComplexFft, type RealTransform, realTransform } from './fft.js';
export {
  type ComputeOptions,
  type FeatureBatch,
  type Features,
  type FrameLayout,
  FrontEnd,
} from './front-end.js';
export {
  type FixedNormalization,
  MEL_DEFAULTS,
  type MelConfig,
  type NemoCompat,
  type ResolvedMel,
  resolveMelConfig,
} from './mel-config.js';
export { hzToMel, melFilterbank, melToHz } from './mel-filterbank.js';
export { MelFrontEnd, type MelTables, melFrontEnd } from './mel-front-end.js';
export { MFCC_DEFAULTS, type MfccConfig, type ResolvedMfcc } from './mfcc-config.js';
export { MfccFrontEnd, mfccFrontEnd } from './mfcc-front-end.js';
export { analysisWindow, WINDOW_TYPES, type WindowType } from './windows.js';
