// The keys of NeMo's AudioToMFCCPreprocessor, their defaults, and what follows from them.
import { requireMapping } from '../../config/index.js';
import { fail, frameSizes } from './frame-sizes.js';
import type { FrameConfig } from './mel-config.js';
import { WINDOW_TYPES, type WindowType } from './windows.js';

/** The keys of NeMo's AudioToMFCCPreprocessor. */
export interface MfccConfig extends FrameConfig {
  /** Default `hann`; null is none. */
  window: WindowType | null;
  /** Default: the next power of two at or above the window. */
  n_fft: number | null;
  /** Hz. Default 0. */
  lowfreq: number;
  /** Hz. Default null: half the sample rate. */
  highfreq: number | null;
  /** Mel bins. Default 64. */
  n_mels: number;
  /** Coefficients kept, at most `n_mels`: the features of a frame. Default 64. */
  n_mfcc: number;
  /** Only 2. */
  dct_type: number;
  /** Default `ortho`. */
  norm: 'ortho' | null;
  /** Logarithms of the mel bins (default), or decibels down to 80 below the loudest of the utterance. */
  log: boolean;
}

/** What NeMo's AudioToMFCCPreprocessor takes for keys that a configuration leaves out. */
export const MFCC_DEFAULTS: Readonly<MfccConfig> = {
  sample_rate: 16000,
  window_size: 0.02,
  window_stride: 0.01,
  n_window_size: null,
  n_window_stride: null,
  window: 'hann',
  n_fft: null,
  lowfreq: 0,
  highfreq: null,
  n_mels: 64,
  n_mfcc: 64,
  dct_type: 2,
  norm: 'ortho',
  log: true,
};

/** The configuration with everything that had to be worked out. */
export interface ResolvedMfcc extends MfccConfig {
  /** Samples. */
  readonly windowLength: number;
  /** Samples. */
  readonly hop: number;
  readonly fftSize: number;
  /** Hz. */
  readonly high: number;
  /** Features of a frame: `n_mfcc`. */
  readonly width: number;
  /** Fills frames beyond an utterance's own. */
  readonly pad_value: 0;
}

/**
 * Fills in the defaults and checks the values.
 * @throws AnemoneError `audio.features-config`, its `path` the offending key
 */
export function resolveMfccConfig(config: Partial<MfccConfig> = {}): ResolvedMfcc {
  const givenKeys = Object.fromEntries(
    Object.entries(requireMapping(config, 'preprocessor')).filter(([, value]) => value !== undefined),
  );
  const c: MfccConfig = { ...MFCC_DEFAULTS, ...givenKeys };
  const sizes = frameSizes(config, c);
  if (c.window !== null && !WINDOW_TYPES.includes(c.window)) {
    fail('window', `${c.window} is unknown`, `one of ${WINDOW_TYPES.join(', ')}`);
  }
  for (const key of ['n_mels', 'n_mfcc'] as const) {
    if (!(c[key] >= 1 && Number.isInteger(c[key]))) fail(key, 'must be a positive integer');
  }
  if (c.n_mfcc > c.n_mels) fail('n_mfcc', `${c.n_mfcc} coefficients are more than the ${c.n_mels} mel bins`);
  if (c.dct_type !== 2) fail('dct_type', `is ${c.dct_type}; only the cosine transform of type 2 is there`);
  if (c.norm !== 'ortho' && c.norm !== null) fail('norm', `${String(c.norm)} is unknown`, 'ortho or null');
  const high = c.highfreq ?? Math.floor(c.sample_rate / 2);
  if (!(c.lowfreq >= 0 && high > c.lowfreq)) {
    fail('highfreq', `${high} Hz is not above lowfreq ${c.lowfreq} Hz`);
  }
  return { ...c, ...sizes, high, width: c.n_mfcc, pad_value: 0 };
}
