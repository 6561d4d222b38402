// Perturbations of level, position and background that need no other recording: gain, white noise, shift,
// silence. Keys and defaults are NeMo's.
import type { CounterRandom } from '../../random/index.js';
import { addDither } from '../features/index.js';
import {
  type AugmentationFactory,
  decibels,
  OptionReader,
  scaled,
  uniformBetween,
  type WaveformAugmentation,
} from './augmentation.js';

type Range = readonly [low: number, high: number];

/** Louder or softer by a uniform number of decibels. */
export class Gain implements WaveformAugmentation {
  constructor(readonly db: Range = [-10, 10]) {}

  apply(samples: Float32Array, _sampleRate: number, random: CounterRandom): Float32Array {
    return scaled(samples, decibels(uniformBetween(random, 0, this.db)));
  }
}

/** Gaussian noise at a uniform level in dB of full scale. */
export class WhiteNoise implements WaveformAugmentation {
  constructor(readonly level: Range = [-90, -46]) {}

  apply(samples: Float32Array, _sampleRate: number, random: CounterRandom): Float32Array {
    const out = samples.slice();
    addDither(out, 0, out.length, decibels(uniformBetween(random, 0, this.level)), random.derive('noise'));
    return out;
  }
}

/** Moves the waveform in time, filling with silence; the length stays. Positive is earlier, as in NeMo. */
export class Shift implements WaveformAugmentation {
  constructor(readonly milliseconds: Range = [-5, 5]) {}

  apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
    const by = Math.floor((uniformBetween(random, 0, this.milliseconds) * sampleRate) / 1000);
    if (by === 0 || Math.abs(by) >= samples.length) return samples;
    const out = new Float32Array(samples.length);
    if (by > 0) out.set(samples.subarray(by));
    else out.set(samples.subarray(0, samples.length + by), -by);
    return out;
  }
}

/** Silence before and after, of uniform lengths in seconds. */
export class Silence implements WaveformAugmentation {
  constructor(
    readonly start: Range = [0, 0],
    readonly end: Range = [0, 0],
  ) {}

  apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
    const before = Math.round(uniformBetween(random, 0, this.start) * sampleRate);
    const after = Math.round(uniformBetween(random, 1, this.end) * sampleRate);
    const out = new Float32Array(before + samples.length + after);
    out.set(samples, before);
    return out;
  }
}

export const gain: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const range = reader.range('min_gain_dbfs', 'max_gain_dbfs', -10, 10);
  reader.ignore(['rng']);
  reader.finish();
  return new Gain(range);
};

export const whiteNoise: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const range = reader.range('min_level', 'max_level', -90, -46);
  reader.ignore(['rng']);
  reader.finish();
  return new WhiteNoise(range);
};

export const shift: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const range = reader.range('min_shift_ms', 'max_shift_ms', -5, 5);
  reader.ignore(['rng']);
  reader.finish();
  return new Shift(range);
};

export const silence: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const start = reader.range('min_start_silence_secs', 'max_start_silence_secs', 0, 0);
  const end = reader.range('min_end_silence_secs', 'max_end_silence_secs', 0, 0);
  reader.ignore(['rng']);
  reader.finish();
  if (start[0] < 0) throw reader.fail('min_start_silence_secs', 'must not be negative');
  if (end[0] < 0) throw reader.fail('min_end_silence_secs', 'must not be negative');
  return new Silence(start, end);
};
