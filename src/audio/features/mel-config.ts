// The keys of NeMo's AudioToMelSpectrogramPreprocessor, their defaults, and what follows from them.
// Key names stay NeMo's snake_case, for they are YAML.
import { requireMapping } from '../../config/index.js';
import { fail, frameSizes } from './frame-sizes.js';
import { WINDOW_TYPES, type WindowType } from './windows.js';

/** Which NeMo the numbers follow: `1.x` up to 2.4 (reflect padding), `2.5` from there on (zero padding). */
export type NemoCompat = '1.x' | '2.5';

/** Fixed statistics instead of those of the utterance; one value a mel bin. */
export interface FixedNormalization {
  readonly fixed_mean: readonly number[];
  readonly fixed_std: readonly number[];
}

/** How a waveform is cut into frames, in both front ends. */
export interface FrameConfig {
  /** Hz. Default 16000. */
  sample_rate: number;
  /** Seconds; excludes `n_window_size`. Default 0.02. */
  window_size: number | null;
  /** Seconds; excludes `n_window_stride`. Default 0.01. */
  window_stride: number | null;
  /** Samples. Default null. */
  n_window_size: number | null;
  /** Samples. Default null. */
  n_window_stride: number | null;
}

/** The keys of NeMo's AudioToMelSpectrogramPreprocessor. */
export interface MelConfig extends FrameConfig {
  /** Default `hann`. */
  window: WindowType | null;
  /** `per_feature` (default), `all_features`, fixed statistics; any other string is no normalisation. */
  normalize: string | FixedNormalization | null;
  /** Default: the next power of two at or above the window. */
  n_fft: number | null;
  /** Pre-emphasis coefficient; null turns it off. Default 0.97. */
  preemph: number | null;
  /** Mel bins. Default 64. */
  features: number;
  /** Hz. Default 0. */
  lowfreq: number;
  /** Hz. Default null: half the sample rate. */
  highfreq: number | null;
  /** Default true. */
  log: boolean;
  /** Default `add`. */
  log_zero_guard_type: 'add' | 'clamp';
  /** Default 2^-24; `tiny` and `eps` are those of float32. */
  log_zero_guard_value: number | 'tiny' | 'eps';
  /** Standard deviation of the noise added in training. Default 1e-5. */
  dither: number;
  /** Frames are padded to a multiple of this; 0 is none; `max` pads to `max_duration`. Default 16. */
  pad_to: number | 'max';
  /** Seconds, for `pad_to: max`. Default 16.7. */
  max_duration: number;
  /** How often a frame's features come one after the other; see `spliceFrames`. Default 1. */
  frame_splicing: number;
  /** Default false. */
  exact_pad: boolean;
  /** Fills frames beyond an utterance's own. Default 0. */
  pad_value: number;
  /** Exponent of the magnitude. Default 2. */
  mag_power: number;
  /** Default `slaney`. */
  mel_norm: 'slaney' | null;
  /** Probability of cutting everything above `nb_max_freq` in training. Default 0. */
  nb_augmentation_prob: number;
  /** Hz. Default 4000. */
  nb_max_freq: number;
  /** Default `2.5`. */
  nemo_compat: NemoCompat;
  /** The torchaudio variant is not offered; only false. */
  use_torchaudio?: boolean;
  /** Found in NeMo's configurations; without effect here, as (but for `use_grads`) there. */
  stft_exact_pad?: boolean;
  stft_conv?: boolean;
  use_grads?: boolean;
  rng?: unknown;
}

/** What NeMo's AudioToMelSpectrogramPreprocessor takes for keys that a configuration leaves out. */
export const MEL_DEFAULTS: Readonly<MelConfig> = {
  sample_rate: 16000,
  window_size: 0.02,
  window_stride: 0.01,
  n_window_size: null,
  n_window_stride: null,
  window: 'hann',
  normalize: 'per_feature',
  n_fft: null,
  preemph: 0.97,
  features: 64,
  lowfreq: 0,
  highfreq: null,
  log: true,
  log_zero_guard_type: 'add',
  log_zero_guard_value: 2 ** -24,
  dither: 1e-5,
  pad_to: 16,
  max_duration: 16.7,
  frame_splicing: 1,
  exact_pad: false,
  pad_value: 0,
  mag_power: 2,
  mel_norm: 'slaney',
  nb_augmentation_prob: 0,
  nb_max_freq: 4000,
  nemo_compat: '2.5',
};

/** The configuration with everything that had to be worked out. */
export interface ResolvedMel extends MelConfig {
  /** Samples. */
  readonly windowLength: number;
  /** Samples. */
  readonly hop: number;
  readonly fftSize: number;
  /** Hz. */
  readonly high: number;
  readonly guard: number;
  /** Features of a frame: mel bins, as often as `frame_splicing` says. */
  readonly width: number;
}

const FLOAT32_TINY = 2 ** -126;
const FLOAT32_EPS = 2 ** -23;

/**
 * Fills in the defaults and checks the values.
 * @throws AnemoneError `audio.features-config`, its `path` the offending key
 */
export function resolveMelConfig(config: Partial<MelConfig> = {}): ResolvedMel {
  const givenKeys = Object.fromEntries(
    Object.entries(requireMapping(config, 'preprocessor')).filter(([, value]) => value !== undefined),
  );
  const c: MelConfig = { ...MEL_DEFAULTS, ...givenKeys };
  const { windowLength, hop, fftSize } = frameSizes(config, c);
  if (c.window !== null && !WINDOW_TYPES.includes(c.window)) {
    fail('window', `${c.window} is unknown`, `one of ${WINDOW_TYPES.join(', ')}`);
  }
  if (c.use_torchaudio) fail('use_torchaudio', 'the torchaudio variant is not offered', 'leave the key out');
  if (!(c.frame_splicing >= 1 && Number.isInteger(c.frame_splicing))) {
    fail('frame_splicing', 'must be a positive integer');
  }
  if (!['add', 'clamp'].includes(c.log_zero_guard_type)) {
    fail('log_zero_guard_type', `${c.log_zero_guard_type} is unknown`, 'add or clamp');
  }
  if (!(c.features >= 1) || !Number.isInteger(c.features)) fail('features', 'must be a positive integer');
  const high = c.highfreq ?? c.sample_rate / 2;
  if (!(c.lowfreq >= 0 && high > c.lowfreq))
    fail('highfreq', `${high} Hz is not above lowfreq ${c.lowfreq} Hz`);
  if (c.exact_pad && hop % 2 === 1) fail('exact_pad', 'needs an even hop');
  if (c.pad_to !== 'max' && !(c.pad_to >= 0)) fail('pad_to', 'must be 0, a positive integer or "max"');
  checkFixed(c);
  const { log_zero_guard_value: value } = c;
  const guard = value === 'tiny' ? FLOAT32_TINY : value === 'eps' ? FLOAT32_EPS : value;
  if (!(guard > 0)) fail('log_zero_guard_value', 'must be positive, "tiny" or "eps"');
  return { ...c, windowLength, hop, fftSize, high, guard, width: c.features * c.frame_splicing };
}

function checkFixed(c: MelConfig): void {
  if (c.normalize === null || typeof c.normalize !== 'object') return;
  for (const key of ['fixed_mean', 'fixed_std'] as const) {
    const have = c.normalize[key]?.length;
    const want = c.features * c.frame_splicing;
    if (have !== want) fail(`normalize.${key}`, `needs ${want} values, has ${have ?? 'none'}`);
  }
}
