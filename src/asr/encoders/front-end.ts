// Configuration of the acoustic front end (NeMo's keys) and the module that holds its tables, which NeMo's
// checkpoints contain. The computation itself is in src/audio and runs in the loader's threads.
import {
  type FrontEnd,
  MAX_SECONDS,
  MEL_DEFAULTS,
  type MelConfig,
  MelFrontEnd,
  MFCC_DEFAULTS,
  type MfccConfig,
  MfccFrontEnd,
  SpectrogramAugmentation,
  WINDOW_TYPES,
} from '../../audio/index.js';
import { defineSchema, oneOf } from '../../config/index.js';
import { component } from '../../container/index.js';
import { Module } from '../../nn/index.js';

const optional = { nullable: true, default: null } as const;
const compat = {
  doc: 'Which NeMo the numbers follow: 1.x up to 2.4, 2.5 from there on. Default: that of the model.',
  format: ['1.x', '2.5'],
  default: '2.5',
} as const;

const fixedStatistics = defineSchema('normalize', {
  fixed_mean: { doc: 'One value a mel bin.', format: 'any' },
  fixed_std: { doc: 'One value a mel bin.', format: 'any' },
});

/** How the waveform is cut into frames, the same for all front ends. */
const frameFields = {
  sample_rate: { doc: 'Hz.', format: 'int', min: 1, max: 1_000_000, default: MEL_DEFAULTS.sample_rate },
  window_size: { doc: 'Seconds.', format: 'number', above: 0, max: 1, nullable: true, default: 0.02 },
  window_stride: { doc: 'Seconds.', format: 'number', above: 0, max: 1, nullable: true, default: 0.01 },
  n_window_size: { doc: 'Samples, instead of window_size.', format: 'int', min: 1, ...optional },
  n_window_stride: { doc: 'Samples, instead of window_stride.', format: 'int', min: 1, ...optional },
  window: { doc: 'Shape of the window.', format: WINDOW_TYPES, nullable: true, default: 'hann' },
} as const;
const spectrumFields = {
  n_fft: { doc: 'Default: the next power of two.', format: 'int', min: 1, max: 1 << 20, ...optional },
  lowfreq: { doc: 'Hz.', format: 'number', min: 0, default: 0 },
  highfreq: { doc: 'Hz. Default: half the sample rate.', format: 'number', above: 0, ...optional },
} as const;

export const melSchema = defineSchema(
  'AudioToMelSpectrogramPreprocessor',
  {
    ...frameFields,
    normalize: {
      doc: 'per_feature, all_features, fixed statistics, or any other text for none.',
      format: oneOf('string', fixedStatistics),
      nullable: true,
      default: 'per_feature',
    },
    n_fft: spectrumFields.n_fft,
    preemph: { doc: 'Pre-emphasis; null for none.', format: 'number', nullable: true, default: 0.97 },
    features: { doc: 'Mel bins.', format: 'int', min: 1, max: 4096, default: MEL_DEFAULTS.features },
    lowfreq: spectrumFields.lowfreq,
    highfreq: spectrumFields.highfreq,
    log: { doc: 'Take logarithms.', format: 'boolean', default: true },
    log_zero_guard_type: {
      doc: 'How zeros are kept from the log.',
      format: ['add', 'clamp'],
      default: 'add',
    },
    log_zero_guard_value: {
      doc: 'Added, or least.',
      format: oneOf('number', ['tiny', 'eps']),
      default: MEL_DEFAULTS.log_zero_guard_value,
    },
    dither: { doc: 'Noise added in training.', format: 'number', min: 0, default: MEL_DEFAULTS.dither },
    pad_to: {
      doc: 'Frames become a multiple of it; 0 for none.',
      format: oneOf('nat', ['max']),
      max: 100_000,
      default: 16,
    },
    max_duration: {
      doc: 'Seconds, for pad_to: max.',
      format: 'number',
      above: 0,
      max: MAX_SECONDS,
      default: MEL_DEFAULTS.max_duration,
    },
    frame_splicing: {
      doc: 'A frame has its features as often, as in NeMo.',
      format: 'int',
      min: 1,
      max: 64,
      default: 1,
    },
    exact_pad: {
      doc: 'Pad so that frames are exactly samples over stride.',
      format: 'boolean',
      default: false,
    },
    pad_value: { doc: 'Fills padded frames.', format: 'number', default: 0 },
    mag_power: { doc: 'Exponent of the magnitude.', format: 'number', above: 0, default: 2 },
    mel_norm: {
      doc: 'Area normalisation of the filters.',
      format: ['slaney'],
      nullable: true,
      default: 'slaney',
    },
    nb_augmentation_prob: {
      doc: 'Of narrow band in training.',
      format: 'number',
      min: 0,
      max: 1,
      default: 0,
    },
    nb_max_freq: { doc: 'Hz kept by it.', format: 'number', above: 0, default: 4000 },
    nemo_compat: compat,
  },
  {
    doc: 'Log-mel features.',
    ignored: {
      stft_exact_pad: 'NeMo ignores it too',
      stft_conv: 'NeMo ignores it too',
      use_torchaudio: { instead: 'the default implementation is used', harmless: [false] },
      rng: { instead: 'randomness comes from the seed', harmless: [null] },
      use_grads: { instead: 'features have no gradient', harmless: [false] },
    },
  },
);

export const mfccSchema = defineSchema(
  'AudioToMFCCPreprocessor',
  {
    ...frameFields,
    ...spectrumFields,
    n_mels: { doc: 'Mel bins.', format: 'int', min: 1, max: 4096, default: MFCC_DEFAULTS.n_mels },
    n_mfcc: {
      doc: 'Coefficients kept of them: the features of a frame.',
      format: 'int',
      min: 1,
      max: 4096,
      default: MFCC_DEFAULTS.n_mfcc,
    },
    dct_type: { doc: 'Of the cosine transform; only 2.', format: 'int', default: 2 },
    norm: { doc: 'Makes the transform orthonormal.', format: ['ortho'], nullable: true, default: 'ortho' },
    log: {
      doc: 'Logarithms of the mel bins; false: decibels, down to 80 below the loudest.',
      format: 'boolean',
      default: true,
    },
  },
  { doc: 'Mel-frequency cepstral coefficients.' },
);

const masks = { format: 'nat', max: 10_000, default: 0 } as const;

const specAugmentSchema = defineSchema(
  'SpectrogramAugmentation',
  {
    freq_masks: { doc: 'Number of frequency masks.', ...masks },
    time_masks: { doc: 'Number of time masks.', ...masks },
    freq_width: { doc: 'Most bins of a frequency mask.', format: 'nat', default: 10 },
    time_width: {
      doc: 'Most frames of a time mask, or below 1 a share of the utterance.',
      format: 'number',
      min: 0,
      default: 10,
    },
    rect_masks: { doc: 'Number of cutout rectangles.', ...masks },
    rect_time: { doc: 'Most frames of a rectangle.', format: 'nat', default: 5 },
    rect_freq: { doc: 'Most bins of a rectangle.', format: 'nat', default: 20 },
    mask_value: { doc: 'What masks are filled with.', format: 'number', default: 0 },
    use_vectorized_spec_augment: {
      doc: 'false: draw as NeMo 1.x does.',
      format: 'boolean',
      optional: true,
    },
    nemo_compat: compat,
  },
  {
    doc: 'SpecAugment (Park et al. 2019): masks stretches of time and bands of frequency in training.',
    refine: ({ time_width: width }, report) => {
      if (width >= 1 && !Number.isInteger(width)) {
        report('time_width', `expected whole frames, or a share below 1, got ${width}`);
      }
    },
    ignored: {
      use_numba_spec_augment: { instead: 'masks are drawn on the host', harmless: [false, true] },
      rng: { instead: 'randomness comes from the seed', harmless: [null] },
    },
  },
);

export const frontEndComponents = [
  component({
    kind: 'preprocessor',
    name: 'AudioToMelSpectrogramPreprocessor',
    aliases: ['nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor'],
    schema: melSchema,
    create: (config) => new MelFrontEnd({ ...config } as Partial<MelConfig>),
  }),
  component({
    kind: 'preprocessor',
    name: 'AudioToMFCCPreprocessor',
    aliases: ['nemo.collections.asr.modules.AudioToMFCCPreprocessor'],
    schema: mfccSchema,
    create: (config) => new MfccFrontEnd({ ...config } as MfccConfig),
  }),
  component({
    kind: 'spec_augment',
    name: 'SpectrogramAugmentation',
    aliases: ['nemo.collections.asr.modules.SpectrogramAugmentation'],
    schema: specAugmentSchema,
    create: (config) => new SpectrogramAugmentation({ ...config }),
  }),
];

/**
 * The tables that NeMo's checkpoints hold: of mel features `featurizer.window` [win] and `featurizer.fb`
 * [1, mels, n_fft/2+1]; of MFCCs `featurizer.dct_mat` [mels, n_mfcc] and, below `featurizer.MelSpectrogram`,
 * `spectrogram.window` [win] and `mel_scale.fb` [n_fft/2+1, mels].
 */
export class Preprocessor extends Module {
  constructor(readonly frontEnd: FrontEnd) {
    super();
    if (frontEnd instanceof MelFrontEnd) this.melTables(frontEnd);
    if (frontEnd instanceof MfccFrontEnd) this.mfccTables(frontEnd);
  }

  private melTables({ window, filterbank, config }: MelFrontEnd): void {
    const mels = config.features;
    this.buffer('featurizer.window', [window.length], () => window.slice());
    this.buffer('featurizer.fb', [1, mels, filterbank.length / mels], () => filterbank.slice());
  }

  private mfccTables({ window, filterbank, dct, config }: MfccFrontEnd): void {
    const { n_mels: mels, n_mfcc } = config;
    const bins = filterbank.length / mels;
    const below = 'featurizer.MelSpectrogram';
    const byBin = () => filterbank.map((_, i) => filterbank[(i % mels) * bins + Math.floor(i / mels)]);
    this.buffer('featurizer.dct_mat', [mels, n_mfcc], () => dct.slice());
    this.buffer(`${below}.spectrogram.window`, [window.length], () => window.slice());
    this.buffer(`${below}.mel_scale.fb`, [bins, mels], byBin);
  }
}
