// The front end of log-mel features.
import { AnemoneError } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import { plainCopy, type WorkerRecipe } from '../portable.js';
import { addDither } from './dither.js';
import { type RealTransform, realTransform } from './fft.js';
import { type ComputeOptions, type FeatureBatch, type Features, FrontEnd, paddedBatch } from './front-end.js';
import { type MelConfig, type ResolvedMel, resolveMelConfig } from './mel-config.js';
import { melFilterbank, type SparseFilterbank, sparseFilterbank } from './mel-filterbank.js';
import { normalizeFeatures } from './normalize.js';
import { reflectEdges, requireReflectable } from './reflect.js';
import { analysisWindow, centredWindow } from './windows.js';

/** The two persistent buffers of the preprocessor; a checkpoint's own are preferred to computed ones. */
export interface MelTables {
  /** [windowLength] */
  readonly window?: Float32Array;
  /** [features, fftSize/2 + 1] */
  readonly filterbank?: Float32Array;
}

/** A front end that a worker makes. */
export function melFrontEnd({
  config,
  tables,
}: {
  config: Partial<MelConfig>;
  tables?: MelTables;
}): MelFrontEnd {
  return new MelFrontEnd(config, tables);
}

/**
 * Waveform to log-mel features, number for number as NeMo's AudioToMelSpectrogramPreprocessor computes them, on the
 * host. One utterance at a time is the natural use (worker threads); `computeBatch` gives NeMo's padded batch.
 * Source: NeMo r1.23 and 2.6, `FilterbankFeatures`.
 */
export class MelFrontEnd extends FrontEnd {
  readonly config: ResolvedMel;
  /** [windowLength] */
  readonly window: Float32Array;
  /** [features, fftSize/2 + 1] */
  readonly filterbank: Float32Array;
  private readonly sparse: SparseFilterbank;
  private readonly placedWindow: Float64Array;
  private readonly transform: RealTransform;
  private readonly power: Float64Array;
  private signal = new Float64Array(0);

  /** @throws AnemoneError `audio.features-config` */
  constructor(
    readonly given: Partial<MelConfig> = {},
    readonly tables?: MelTables,
  ) {
    super();
    const c = resolveMelConfig(given);
    this.config = c;
    this.transform = realTransform(c.fftSize);
    const bins = this.transform.bins;
    this.window = tables?.window ?? analysisWindow(c.window ?? 'none', c.windowLength);
    this.filterbank =
      tables?.filterbank ??
      melFilterbank({
        sampleRate: c.sample_rate,
        fftSize: c.fftSize,
        filters: c.features,
        low: c.lowfreq,
        high: c.high,
        norm: c.mel_norm,
      });
    checkTable('window', this.window.length, c.windowLength);
    checkTable('filterbank', this.filterbank.length, c.features * bins);
    this.sparse = sparseFilterbank(this.filterbank, c.features, bins);
    this.placedWindow = centredWindow(this.window, c.fftSize);
    this.power = new Float64Array(bins);
  }

  override withoutPadding(): MelFrontEnd {
    return new MelFrontEnd({ ...this.given, pad_to: 0 }, this.tables);
  }

  override toWorker(): WorkerRecipe {
    const { given, tables } = this;
    return { module: import.meta.url, make: 'melFrontEnd', from: { config: plainCopy(given), tables } };
  }

  /** Valid frames of an utterance of `samples` samples. */
  override frameCount(samples: number): number {
    const { fftSize, hop, exact_pad, nemo_compat } = this.config;
    if (samples <= 0) return 0;
    const padding = 2 * (exact_pad ? Math.floor((fftSize - hop) / 2) : Math.floor(fftSize / 2));
    const steps = Math.floor((samples + padding - fftSize) / hop);
    return Math.max(0, nemo_compat === '1.x' ? steps + 1 : steps);
  }

  /**
   * Features of one utterance, normalised, without padding frames: what NeMo computes for it in a batch
   * of one, or in a batch padded to `paddedSamples` (under `1.x` padding reaches into the last frames).
   * @throws AnemoneError `audio.too-short` where `1.x` would have nothing to reflect
   */
  override compute(audio: Float32Array, options: ComputeOptions = {}): Features {
    const validSamples = Math.min(options.validSamples ?? audio.length, audio.length);
    const frames = this.frameCount(validSamples);
    const { features: bins, frame_splicing: times, width } = this.config;
    const features = new Float32Array(frames * width);
    if (frames === 0) return { features, frames, columns: 0 };
    const training = options.training ?? false;
    const random = training ? options.random : undefined;
    if (training && !random && (this.config.dither > 0 || this.config.nb_augmentation_prob > 0)) {
      throw new AnemoneError({
        code: 'audio.features-random',
        message: 'dither and narrow-band augmentation need a random stream in training',
      });
    }
    const padded = Math.max(options.paddedSamples ?? 0, audio.length);
    this.prepareSignal(audio, validSamples, padded, frames, random);
    this.fillFrames(features, frames, this.narrowBandLimit(random));
    if (times > 1) spliceFrames(features, frames, bins, times);
    normalizeFeatures(features, frames, this.config);
    // From 2.5 on the last column counts as padding.
    return { features, frames, columns: this.config.nemo_compat === '1.x' ? frames : frames + 1 };
  }

  /**
   * NeMo's batch: items padded with zeros to the longest, features [B, F, T], frames beyond an item's own
   * set to `pad_value`, T rounded up as `pad_to` says.
   * @param lengths valid samples of each item; default the items' own lengths
   */
  override computeBatch(
    audios: readonly Float32Array[],
    lengths: ArrayLike<number> = audios.map((a) => a.length),
    options: { training?: boolean; random?: CounterRandom } = {},
  ): FeatureBatch {
    const { hop } = this.config;
    const longest = audios.reduce((max, a) => Math.max(max, a.length), 0);
    const items = audios.map((audio, i) =>
      this.compute(audio, {
        training: options.training,
        random: options.random?.derive(i),
        validSamples: lengths[i],
        paddedSamples: longest,
      }),
    );
    const columns = this.config.exact_pad
      ? Math.floor((longest + 2 * this.exactPad - this.config.fftSize) / hop) + 1
      : Math.floor(longest / hop) + 1;
    return paddedBatch(items, this.padFrames(Math.max(0, columns)), this.config);
  }

  /** Frames of a batch after `pad_to`. */
  override padFrames(frames: number): number {
    const { pad_to, max_duration, sample_rate } = this.config;
    if (pad_to === 'max') return Math.max(frames, this.frameCount(Math.trunc(max_duration * sample_rate)));
    return pad_to > 0 ? Math.ceil(frames / pad_to) * pad_to : frames;
  }

  private get exactPad(): number {
    const { exact_pad, fftSize, hop } = this.config;
    return exact_pad ? Math.floor((fftSize - hop) / 2) : 0;
  }

  /**
   * Fills `this.signal` with what the frames are cut from: [edge padding | signal | edge padding].
   * Only as much as the wanted frames reach is made.
   */
  private prepareSignal(
    audio: Float32Array,
    validSamples: number,
    padded: number,
    frames: number,
    random: CounterRandom | undefined,
  ): void {
    const { fftSize, hop, preemph, dither, exact_pad, nemo_compat } = this.config;
    const reflect = nemo_compat === '1.x';
    const exactPad = this.exactPad;
    const centre = exact_pad ? 0 : Math.floor(fftSize / 2);
    const edge = exactPad + centre;
    const neededSamples = (frames - 1) * hop + fftSize;
    if (reflect) requireReflectable(padded, edge, 'raise min_duration, or use nemo_compat "2.5"');
    const total = Math.max(neededSamples, 2 * edge + padded);
    if (this.signal.length < total) this.signal = new Float64Array(Math.ceil(total * 1.2));
    const x = this.signal;
    x.fill(0, 0, total);
    // Body: with exact_pad NeMo pads first, so that dither and pre-emphasis run over the padding too.
    const start = centre;
    const length = padded + 2 * exactPad;
    for (let i = 0; i < Math.min(audio.length, padded); i++) x[edge + i] = audio[i];
    if (reflect && exactPad > 0) reflectEdges(x, start + exactPad, padded, exactPad);
    if (random && dither > 0) addDither(x, start, length, dither, random.derive('dither'));
    if (preemph !== null) {
      for (let i = start + length - 1; i > start; i--) x[i] -= preemph * x[i - 1];
      // From 2.5 on what pre-emphasis leaves beyond the utterance is cut off.
      if (!reflect) x.fill(0, start + Math.min(validSamples, length), start + length);
    }
    if (reflect && centre > 0) reflectEdges(x, start, length, centre);
  }

  /** Bins from here on are zeroed in this utterance. */
  private narrowBandLimit(random: CounterRandom | undefined): number {
    const { nb_augmentation_prob, nb_max_freq, sample_rate, fftSize } = this.config;
    if (!random || nb_augmentation_prob <= 0) return this.transform.bins;
    if (random.derive('narrow-band').uniform(0) >= nb_augmentation_prob) return this.transform.bins;
    return Math.min(this.transform.bins, Math.trunc((nb_max_freq / sample_rate) * fftSize));
  }

  private fillFrames(features: Float32Array, frames: number, limit: number): void {
    const { hop, mag_power, log, log_zero_guard_type, guard } = this.config;
    const { filters, first, offsets, weights } = this.sparse;
    const { power, transform, signal, placedWindow } = this;
    const clamp = log_zero_guard_type === 'clamp';
    for (let t = 0, out = 0; t < frames; t++) {
      transform.power(signal, t * hop, placedWindow, power);
      if (limit < power.length) power.fill(0, limit);
      if (mag_power === 1) for (let k = 0; k < power.length; k++) power[k] = Math.sqrt(power[k]);
      else if (mag_power !== 2) for (let k = 0; k < power.length; k++) power[k] = power[k] ** (mag_power / 2);
      for (let f = 0; f < filters; f++, out++) {
        let sum = 0;
        for (let w = offsets[f], k = first[f]; w < offsets[f + 1]; w++, k++) sum += weights[w] * power[k];
        if (log) sum = Math.log(clamp ? Math.max(sum, guard) : sum + guard);
        features[out] = sum;
      }
    }
  }
}

/**
 * Mel features [frames, bins] at the start of `x` become [frames, times × bins] in place. NeMo's splice_frames puts each
 * frame beside itself: what it calls the frames n later are the frame's own.
 */
function spliceFrames(x: Float32Array, frames: number, bins: number, times: number): void {
  for (let t = frames - 1; t >= 0; t--) {
    for (let n = times - 1; n >= 0; n--) x.copyWithin((t * times + n) * bins, t * bins, (t + 1) * bins);
  }
}

function checkTable(name: string, have: number, want: number): void {
  if (have === want) return;
  throw new AnemoneError({
    code: 'audio.features-config',
    path: name,
    message: `the given ${name} has ${have} values, the configuration needs ${want}`,
  });
}
