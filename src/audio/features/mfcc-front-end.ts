// The front end of mel-frequency cepstral coefficients.
import type { CounterRandom } from '../../random/index.js';
import { plainCopy, type WorkerRecipe } from '../portable.js';
import { type RealTransform, realTransform } from './fft.js';
import { type ComputeOptions, type FeatureBatch, type Features, FrontEnd, paddedBatch } from './front-end.js';
import { melFilterbank, type SparseFilterbank, sparseFilterbank } from './mel-filterbank.js';
import { type MfccConfig, type ResolvedMfcc, resolveMfccConfig } from './mfcc-config.js';
import { reflectEdges, requireReflectable } from './reflect.js';
import { centredWindow, periodicWindow } from './windows.js';

const LOG_OFFSET = 1e-6;
/** The least power that decibels are taken of. */
const LEAST_POWER = 1e-10;
/** Decibels below the loudest bin that are told apart. */
const TOP_DB = 80;

/** A front end that a worker makes. */
export function mfccFrontEnd(config: Partial<MfccConfig>): MfccFrontEnd {
  return new MfccFrontEnd(config);
}

/**
 * Waveform to mel-frequency cepstral coefficients as NeMo's AudioToMFCCPreprocessor computes them, on the host:
 * power spectrum of a periodic window over reflected edges, mel filters on HTK's scale, logarithm, cosine transform
 * (Davis and Mermelstein 1980). Source: NeMo 2.7, torchaudio 2.9's `MFCC`. Two things differ where utterances share
 * a batch, so that no utterance depends on its neighbours: frames beyond its own are zeros, and decibels are counted
 * from its own loudest bin.
 */
export class MfccFrontEnd extends FrontEnd {
  readonly config: ResolvedMfcc;
  /** [windowLength] */
  readonly window: Float32Array;
  /** [n_mels, fftSize/2 + 1] */
  readonly filterbank: Float32Array;
  /** [n_mels, n_mfcc] */
  readonly dct: Float32Array;
  private readonly sparse: SparseFilterbank;
  private readonly placedWindow: Float64Array;
  private readonly transform: RealTransform;
  private readonly power: Float64Array;

  /** @throws AnemoneError `audio.features-config` */
  constructor(readonly given: Partial<MfccConfig> = {}) {
    super();
    const c = resolveMfccConfig(given);
    this.config = c;
    this.transform = realTransform(c.fftSize);
    this.window = periodicWindow(c.window ?? 'none', c.windowLength);
    this.filterbank = melFilterbank({
      sampleRate: c.sample_rate,
      fftSize: c.fftSize,
      filters: c.n_mels,
      low: c.lowfreq,
      high: c.high,
      norm: null,
      scale: 'htk',
    });
    this.dct = cosineTransform(c.n_mels, c.n_mfcc, c.norm);
    this.sparse = sparseFilterbank(this.filterbank, c.n_mels, this.transform.bins);
    this.placedWindow = centredWindow(this.window, c.fftSize);
    this.power = new Float64Array(this.transform.bins);
  }

  override toWorker(): WorkerRecipe {
    return { module: import.meta.url, make: 'mfccFrontEnd', from: plainCopy(this.given) };
  }

  override frameCount(samples: number): number {
    return Math.max(0, Math.ceil(samples / this.config.hop));
  }

  /**
   * Coefficients of one utterance: what NeMo computes for it in a batch of one, or in a batch padded to `paddedSamples`.
   * Nothing is random in training.
   * @throws AnemoneError `audio.too-short` where there is nothing to reflect
   */
  override compute(audio: Float32Array, options: ComputeOptions = {}): Features {
    const { log } = this.config;
    const validSamples = Math.min(options.validSamples ?? audio.length, audio.length);
    const frames = this.frameCount(validSamples);
    if (frames === 0) return { features: new Float32Array(0), frames, columns: 0 };
    const padded = Math.max(options.paddedSamples ?? 0, audio.length);
    // There may be more columns than valid frames, and the loudest bin may be in one of those.
    const mels = this.melSpectrogram(this.reflected(audio, padded), this.columns(padded));
    if (log) for (let i = 0; i < mels.length; i++) mels[i] = Math.log(mels[i] + LOG_OFFSET);
    else toDecibels(mels);
    return { features: this.cepstrum(mels, frames), frames, columns: this.columns(validSamples) };
  }

  override computeBatch(
    audios: readonly Float32Array[],
    lengths: ArrayLike<number> = audios.map((a) => a.length),
    _options: { training?: boolean; random?: CounterRandom } = {},
  ): FeatureBatch {
    const longest = audios.reduce((max, a) => Math.max(max, a.length), 0);
    const items = audios.map((audio, i) =>
      this.compute(audio, { validSamples: lengths[i], paddedSamples: longest }),
    );
    return paddedBatch(items, longest === 0 ? 0 : this.columns(longest), this.config);
  }

  /** Frames that the transform of `samples` samples has: one more than are valid where they end as a frame begins. */
  private columns(samples: number): number {
    const { fftSize, hop } = this.config;
    return Math.floor((samples - (fftSize % 2)) / hop) + 1;
  }

  /** [edge | signal, padded with zeros | edge] */
  private reflected(audio: Float32Array, padded: number): Float64Array {
    const edge = Math.floor(this.config.fftSize / 2);
    requireReflectable(padded, edge, 'raise min_duration');
    const x = new Float64Array(padded + 2 * edge);
    x.set(audio.subarray(0, padded), edge);
    reflectEdges(x, edge, padded, edge);
    return x;
  }

  /** signal → [columns, n_mels] */
  private melSpectrogram(signal: Float64Array, columns: number): Float64Array {
    const { hop, n_mels } = this.config;
    const { first, offsets, weights } = this.sparse;
    const mels = new Float64Array(columns * n_mels);
    for (let t = 0, out = 0; t < columns; t++) {
      this.transform.power(signal, t * hop, this.placedWindow, this.power);
      for (let f = 0; f < n_mels; f++, out++) {
        let sum = 0;
        for (let w = offsets[f], k = first[f]; w < offsets[f + 1]; w++, k++)
          sum += weights[w] * this.power[k];
        mels[out] = sum;
      }
    }
    return mels;
  }

  /** [columns, n_mels] → [frames, n_mfcc] */
  private cepstrum(mels: Float64Array, frames: number): Float32Array {
    const { n_mels, n_mfcc: count } = this.config;
    const out = new Float32Array(frames * count);
    for (let t = 0; t < frames; t++) {
      for (let k = 0; k < count; k++) {
        let sum = 0;
        for (let m = 0; m < n_mels; m++) sum += mels[t * n_mels + m] * this.dct[m * count + k];
        out[t * count + k] = sum;
      }
    }
    return out;
  }
}

/** Power to decibels in place, none further than TOP_DB below the greatest. */
function toDecibels(power: Float64Array): void {
  let loudest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < power.length; i++) {
    power[i] = 10 * Math.log10(Math.max(power[i], LEAST_POWER));
    loudest = Math.max(loudest, power[i]);
  }
  for (let i = 0; i < power.length; i++) power[i] = Math.max(power[i], loudest - TOP_DB);
}

/** The cosine transform of type 2 as a matrix [mels, count]; `ortho` makes its columns orthonormal. */
function cosineTransform(mels: number, count: number, norm: 'ortho' | null): Float32Array {
  const matrix = new Float32Array(mels * count);
  for (let k = 0; k < count; k++) {
    const scale = norm === null ? 2 : Math.sqrt((k === 0 ? 1 : 2) / mels);
    for (let m = 0; m < mels; m++) {
      matrix[m * count + k] = scale * Math.cos((Math.PI / mels) * (m + 0.5) * k);
    }
  }
  return matrix;
}
