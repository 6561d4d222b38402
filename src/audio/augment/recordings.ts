// Perturbations that mix in other recordings: background noise and measured room impulse responses, each
// from a manifest. Keys are NeMo's.
import type { CounterRandom } from '../../random/index.js';
import {
  type AugmentationFactory,
  decibels,
  OptionReader,
  rms,
  uniformBetween,
  type WaveformAugmentation,
} from './augmentation.js';
import { ClipSource } from './clips.js';
import { reverberate } from './convolve.js';

/** How loud mixed-in noise is: NeMo's NoisePerturbation. */
export interface NoiseOptions {
  /** Speech over noise, dB. Default [10, 50]. */
  readonly snrDb: readonly [number, number];
  /** The noise is amplified by at most this. Default 300. */
  readonly maxGainDb: number;
}

/** Adds a stretch of a noise recording; a shorter one is put at a random place. */
export class Noise implements WaveformAugmentation {
  readonly options: NoiseOptions;

  constructor(
    private readonly clips: ClipSource,
    options: Partial<NoiseOptions> = {},
  ) {
    this.options = { snrDb: options.snrDb ?? [10, 50], maxGainDb: options.maxGainDb ?? 300 };
  }

  open(): void {
    this.clips.open();
  }

  async apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Promise<Float32Array> {
    const clip = await this.clips.draw(sampleRate, random.derive('clip'));
    const snr = uniformBetween(random, 0, this.options.snrDb);
    const spareSamples = clip.length - samples.length;
    const place = random.integer(1, Math.abs(spareSamples) + 1);
    const noise = spareSamples > 0 ? clip.subarray(place, place + samples.length) : clip;
    const at = spareSamples > 0 ? 0 : place;
    const gain = Math.min(rms(samples) / rms(noise) / decibels(snr), decibels(this.options.maxGainDb));
    const out = samples.slice();
    for (let i = 0; i < noise.length; i++) out[at + i] += gain * noise[i];
    return out;
  }
}

/**
 * Convolves with a recorded impulse response. The direct sound keeps its place and the loudness is kept,
 * where NeMo's class rescales the response to [0, 1], which would add a constant to it.
 */
export class Impulse implements WaveformAugmentation {
  constructor(private readonly clips: ClipSource) {}

  open(): void {
    this.clips.open();
  }

  async apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Promise<Float32Array> {
    return reverberate(samples, await this.clips.draw(sampleRate, random.derive('clip')));
  }
}

const TARRED = ['audio_tar_filepaths', 'shuffle_n'];

export const noise: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const manifests = reader.strings('manifest_path');
  const snrDb = reader.range('min_snr_db', 'max_snr_db', 10, 50);
  const maxGainDb = reader.number('max_gain_db', 300);
  reader.ignore(['orig_sr', 'rng']);
  reader.ignore(TARRED, 'is ignored; noises are read from plain files');
  reader.finish();
  return new Noise(new ClipSource(manifests), { snrDb, maxGainDb });
};

export const impulse: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const manifests = reader.strings('manifest_path');
  reader.ignore(['shift_impulse', 'rng']);
  reader.ignore(TARRED, 'is ignored; responses are read from plain files');
  reader.finish();
  return new Impulse(new ClipSource(manifests));
};
