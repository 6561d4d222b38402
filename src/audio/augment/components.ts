// Waveform augmentations as components: NeMo's names, and those of the user, `augmentor: {mine: {_target_: Mine, prob: 0.5}}`.
import { defineSchema, type FieldDefinitions, listOf, oneOf, type Schema } from '../../config/index.js';
import { type ComponentDescriptor, component, defineKind } from '../../container/index.js';
import type { WaveformAugmentation } from './augmentation.js';
import { BUILTIN_AUGMENTATIONS } from './augmentor.js';

/** Waveform augmentations as a kind of component: a step of `augmentor`. */
export const waveformAugmentationKind = defineKind<WaveformAugmentation>(
  'waveform_augmentation',
  'a waveform augmentation',
);

const number = (doc: string, value: number) => ({ doc, format: 'number', default: value }) as const;
const range = (what: string, [least, low]: [string, number], [most, high]: [string, number]) => ({
  [least]: number(`Least ${what}.`, low),
  [most]: number(`Greatest ${what}.`, high),
});
const paths = {
  doc: 'JSON Lines with audio_filepath, offset, duration; several separated by commas, or a list.',
  format: oneOf('string', listOf('string')),
} as const;
const rates = {
  ...range('rate', ['min_speed_rate', 0.9], ['max_speed_rate', 1.1]),
  num_rates: { doc: 'So many rates are chosen from, evenly spaced.', format: 'int', default: 5 },
} as const;

interface Described {
  readonly doc: string;
  readonly fields: FieldDefinitions;
}

/** Keys of each name beside `prob`. Values out of bounds are refused by what makes the augmentation. */
const DESCRIBED: Readonly<Record<string, Described>> = {
  speed: {
    doc: 'Plays faster or slower, the pitch going along.',
    fields: {
      ...rates,
      resample_type: { doc: 'Name of a resampler of librosa.', format: 'string', default: 'kaiser_best' },
    },
  },
  time_stretch: { doc: 'Speaks faster or slower at the same pitch.', fields: rates },
  pitch: {
    doc: 'Moves the pitch, the length staying.',
    fields: range('shift in semitones', ['min_semitones', -3], ['max_semitones', 3]),
  },
  gain: {
    doc: 'Changes the level.',
    fields: range('gain in dB', ['min_gain_dbfs', -10], ['max_gain_dbfs', 10]),
  },
  white_noise: {
    doc: 'Adds white noise.',
    fields: range('level in dB of full scale', ['min_level', -90], ['max_level', -46]),
  },
  shift: {
    doc: 'Moves the waveform in time, filling with silence.',
    fields: range('shift in milliseconds, positive being earlier', ['min_shift_ms', -5], ['max_shift_ms', 5]),
  },
  silence: {
    doc: 'Adds silence before and after.',
    fields: {
      ...range('seconds before', ['min_start_silence_secs', 0], ['max_start_silence_secs', 0]),
      ...range('seconds after', ['min_end_silence_secs', 0], ['max_end_silence_secs', 0]),
    },
  },
  noise: {
    doc: 'Adds a stretch of a recorded noise.',
    fields: {
      manifest_path: paths,
      ...range('speech over noise, dB', ['min_snr_db', 10], ['max_snr_db', 50]),
      max_gain_db: number('The noise is amplified by no more dB.', 300),
    },
  },
  impulse: { doc: 'Convolves with a recorded impulse response.', fields: { manifest_path: paths } },
  rir: { doc: 'As impulse.', fields: { manifest_path: paths } },
  simulated_room: {
    doc: 'Convolves with the response of a room made up.',
    fields: {
      ...range('reverberation time in seconds', ['min_rt60', 0.1], ['max_rt60', 0.6]),
      ...range('distance in metres', ['min_distance', 0.3], ['max_distance', 3]),
    },
  },
};

/** NeMo's waveform augmentations and those of this library, by their names in `augmentor`. */
export const augmentationComponents: readonly ComponentDescriptor[] = [...BUILTIN_AUGMENTATIONS].map(
  ([name, factory]) => {
    const { doc, fields } = DESCRIBED[name] as Described;
    const schema: Schema<Readonly<Record<string, unknown>>> = defineSchema(name, fields, { doc });
    return component({
      kind: waveformAugmentationKind,
      name,
      schema,
      create: (options) => factory({ ...options }, { path: `augmentor.${name}`, warn: () => {} }),
    });
  },
);
