// Perturbations of tempo and pitch: speed (both, by resampling), time_stretch (tempo alone) and pitch (pitch
// alone). Keys of the first two are NeMo's.
import type { CounterRandom } from '../../random/index.js';
import { type ResampleQuality, resample } from '../resample.js';
import {
  type AugmentationFactory,
  OptionReader,
  uniformBetween,
  type WaveformAugmentation,
} from './augmentation.js';
import { timeStretch } from './wsola.js';

type Range = readonly [low: number, high: number];

/** Rates to choose from: equally spaced, or a continuum when `count` is not positive. */
export interface RateChoice {
  readonly range: Range;
  /** Default 5. */
  readonly count: number;
}

/** A rate rounded to hundredths, which keeps the resampler's filters few and small. */
function chooseRate({ range, count }: RateChoice, random: CounterRandom): number {
  const rate =
    count > 1
      ? range[0] + ((range[1] - range[0]) * random.integer(0, count)) / (count - 1)
      : count === 1
        ? range[0]
        : uniformBetween(random, 0, range);
  return Math.round(rate * 100) / 100;
}

/**
 * Plays faster (rate above 1, shorter and higher) or slower. NeMo's class of the same name resamples the
 * other way round, which makes no difference for ranges that are symmetric about 1.
 */
export class Speed implements WaveformAugmentation {
  constructor(
    readonly rates: RateChoice = { range: [0.9, 1.1], count: 5 },
    readonly quality: ResampleQuality = 'best',
  ) {}

  apply(samples: Float32Array, _sampleRate: number, random: CounterRandom): Float32Array {
    const rate = chooseRate(this.rates, random);
    return resample(samples, Math.round(rate * 100), 100, this.quality);
  }

  stretch(random: CounterRandom): number {
    return 1 / chooseRate(this.rates, random);
  }
}

/** Faster or slower at the same pitch. */
export class TimeStretch implements WaveformAugmentation {
  constructor(readonly rates: RateChoice = { range: [0.9, 1.1], count: 5 }) {}

  apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
    return timeStretch(samples, sampleRate, chooseRate(this.rates, random));
  }

  stretch(random: CounterRandom): number {
    return 1 / chooseRate(this.rates, random);
  }
}

/** Higher or lower by a uniform number of semitones at the same tempo; the length stays. */
export class Pitch implements WaveformAugmentation {
  constructor(readonly semitones: Range = [-3, 3]) {}

  apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
    const exactFactor = 2 ** (uniformBetween(random, 0, this.semitones) / 12);
    const factor = Math.round(exactFactor * 100) / 100;
    if (factor === 1) return samples;
    // Stretched by the factor and then played that much faster: only the pitch is left changed.
    const stretched = timeStretch(samples, sampleRate, 1 / factor);
    const shifted = resample(stretched, Math.round(factor * 100), 100);
    const out = new Float32Array(samples.length);
    out.set(shifted.subarray(0, samples.length));
    return out;
  }
}

function rateChoice(reader: OptionReader): RateChoice {
  const range = reader.range('min_speed_rate', 'max_speed_rate', 0.9, 1.1);
  const count = reader.number('num_rates', 5);
  if (range[0] < 0.2) throw reader.fail('min_speed_rate', `${range[0]} is too slow; at least 0.2`);
  if (range[1] > 5) throw reader.fail('max_speed_rate', `${range[1]} is too fast; at most 5`);
  return { range, count };
}

/** librosa's resamplers by name, as in NeMo; ours has two qualities. */
const RESAMPLERS: Readonly<Record<string, ResampleQuality>> = {
  kaiser_best: 'best',
  soxr_vhq: 'best',
  soxr_hq: 'best',
  kaiser_fast: 'fast',
  soxr_mq: 'fast',
  soxr_lq: 'fast',
};

function resampleQuality(reader: OptionReader): ResampleQuality {
  const type = reader.text('resample_type', 'kaiser_best');
  if (!Object.hasOwn(RESAMPLERS, type))
    throw reader.fail('resample_type', `expected one of ${Object.keys(RESAMPLERS).join(', ')}`);
  return RESAMPLERS[type];
}

export const speed: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const rates = rateChoice(reader);
  reader.ignore(['sr', 'rng']);
  const quality = resampleQuality(reader);
  reader.finish();
  return new Speed(rates, quality);
};

export const timeStretching: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const rates = rateChoice(reader);
  reader.ignore(['n_fft', 'rng']);
  reader.finish();
  return new TimeStretch(rates);
};

export const pitch: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const range = reader.range('min_semitones', 'max_semitones', -3, 3);
  reader.finish();
  if (Math.max(-range[0], range[1]) > 24) throw reader.fail('max_semitones', 'more than two octaves');
  return new Pitch(range);
};
