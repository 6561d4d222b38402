// Changes the sampling rate by a rational factor: a polyphase FIR whose prototype is a Kaiser-windowed sinc.
// The best quality stops at -90 dB from the lower Nyquist frequency on and is flat to 0.87 of it; the fast one
// costs a third, stops at -75 dB and is flat to 0.7. `scipy` and `torchaudio` are what NeMo's models hear by lhotse, number for
// number: scipy's resample_poly (10 zero crossings, Kaiser's window of beta 5) where torchaudio is not installed, else
// torchaudio's default (6 zero crossings under Hann's window, cut off at 0.99). Both let images through.
// Rates with a huge common denominator take their coefficients from a fine table by interpolation.
import { AnemoneError } from '../errors/index.js';

/** How recordings of another rate are brought to the model's: in the best way, or as one of these libraries does it. */
export const RESAMPLERS = ['best', 'scipy', 'torchaudio'] as const;
/** One of {@link RESAMPLERS}. */
export type Resampler = (typeof RESAMPLERS)[number];
/** `best` for what is kept or measured, `fast` where the sound is being distorted on purpose. */
export type ResampleQuality = Resampler | 'fast';

interface Kernel {
  /** Zero crossings of the sinc on each side of its centre. */
  readonly crossings: number;
  /** The window at a position from -1 to 1 between its ends; 1 at the centre. */
  readonly window: (position: number) => number;
  /** Cut-off relative to the lower Nyquist frequency: half of the transition band lies above it. */
  readonly cutoff: number;
  /** What passes a constant unchanged: every phase, all of them on average, or none quite. */
  readonly unity: 'each' | 'all' | 'none';
}

/** Kaiser's design rules: `attenuation` in dB gives beta and the width of the transition band. */
function designed(crossings: number, attenuation: number): Kernel {
  const beta = 0.1102 * (attenuation - 8.7);
  const transition = (attenuation - 8) / (2.285 * 2 * crossings * Math.PI);
  return { crossings, window: kaiser(beta), cutoff: 1 - transition / 2, unity: 'each' };
}

function kaiser(beta: number): Kernel['window'] {
  const scale = bessel0(beta);
  return (position) => bessel0(beta * Math.sqrt(1 - position * position)) / scale;
}

/** Hann's. */
const raisedCosine = (position: number) => Math.cos((Math.PI / 2) * position) ** 2;

const KERNELS: Readonly<Record<ResampleQuality, Kernel>> = {
  best: designed(48, 95),
  fast: designed(16, 80),
  scipy: { crossings: 10, window: kaiser(5), cutoff: 1, unity: 'all' },
  torchaudio: { crossings: 6, window: raisedCosine, cutoff: 0.99, unity: 'none' },
};
/** Most samples of a result: 4 GiB. */
const MAX_SAMPLES = 2 ** 30;
/** More phases than this are interpolated instead of stored. */
const MAX_PHASES = 1024;
/** Most coefficients of one filter: 16 MiB. From 9,999,000 to 8,000 Hz each of 1,000 phases would have 100,000. */
const MAX_COEFFICIENTS = 2 ** 21;

interface PolyphaseFilter {
  /** Interpolation and decimation factors, coprime. */
  readonly up: number;
  readonly down: number;
  /** Taps a phase. */
  readonly taps: number;
  /** [phases, taps], each phase reversed so that it slides over the input in order. */
  readonly coefficients: Float64Array;
  /** Index of the tap at or just before the centre. */
  readonly centre: number;
}

// A pure function's results; bounded, because speed perturbation may ask for many factors.
const filters = new Map<string, PolyphaseFilter>();
const MAX_FILTERS = 32;

/**
 * Resamples mono audio. The result has ceil(n * to / from) samples and starts at the same instant;
 * the input counts as silence beyond its ends. Equal rates return the input itself.
 * @param from rate of `samples`: Hz, positive; fractions are allowed as long as the ratio is rational with small terms
 * @param to rate of the result
 * @param quality default `best`
 * @throws AnemoneError `audio.sample-rate`, `audio.resampler`, `audio.too-long`
 */
export function resample(
  samples: Float32Array,
  from: number,
  to: number,
  quality: ResampleQuality = 'best',
): Float32Array {
  if (!(from > 0) || !(to > 0) || !Number.isFinite(from) || !Number.isFinite(to)) {
    throw new AnemoneError({
      code: 'audio.sample-rate',
      message: `cannot resample from ${from} Hz to ${to} Hz`,
    });
  }
  if (!Object.hasOwn(KERNELS, quality)) {
    throw new AnemoneError({
      code: 'audio.resampler',
      message: `there is no resampler "${String(quality)}": ${RESAMPLERS.join(', ')}`,
    });
  }
  if (from === to || samples.length === 0) return samples;
  const [up, down] = ratio(from, to);
  const length = Math.ceil((samples.length * up) / down);
  if (length > MAX_SAMPLES) {
    throw new AnemoneError({
      code: 'audio.too-long',
      message: `${samples.length} samples of ${from} Hz would become ${length} of ${to} Hz`,
      hint: 'read the recording in parts',
    });
  }
  return up <= MAX_PHASES && up * tapsOf(up, down, KERNELS[quality]) <= MAX_COEFFICIENTS
    ? inPieces(samples, filterFor(up, down, quality), length)
    : interpolated(samples, up, down, length, quality);
}

/** Output samples a piece, about: what `polyphase` needs besides is in proportion to its input. */
const PIECE = 2 ** 20;

/** Piece by piece with what the filter reaches beyond its ends: the same sums, in less memory. */
function inPieces(samples: Float32Array, filter: PolyphaseFilter, length: number): Float32Array {
  if (length <= PIECE && samples.length <= PIECE) return polyphase(samples, filter, length);
  const { up, down, taps } = filter;
  const out = new Float32Array(length);
  // Pieces are whole periods long, so that each begins with phase 0.
  const periods = Math.max(1, Math.floor(PIECE / Math.max(up, down)));
  const margin = Math.ceil(taps / down);
  for (let first = 0; first * up < length; first += periods) {
    const from = Math.max(0, first - margin);
    const input = samples.subarray(from * down, (first + periods + margin) * down);
    const [skip, end] = [(first - from) * up, Math.min(length, (first + periods) * up) - from * up];
    out.set(polyphase(input, filter, end).subarray(skip), first * up);
  }
  return out;
}

/** to/from in lowest terms. */
function ratio(from: number, to: number): [up: number, down: number] {
  let scale = 1;
  while (scale < 1e6 && !(Number.isInteger(from * scale) && Number.isInteger(to * scale))) scale *= 10;
  let a = Math.round(from * scale);
  let b = Math.round(to * scale);
  const [down, up] = [a, b];
  while (b !== 0) [a, b] = [b, a % b];
  return [up / a, down / a];
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** The prototype at `x` zero crossings from the centre (of the cut-off sinc), gain 1 at frequency 0. */
function prototype({ crossings, window }: Kernel, x: number): number {
  const position = x / crossings;
  if (position <= -1 || position >= 1) return 0;
  return x === 0 ? 1 : (window(position) * Math.sin(Math.PI * x)) / (Math.PI * x);
}

function filterFor(up: number, down: number, quality: ResampleQuality): PolyphaseFilter {
  const key = `${up}/${down} ${quality}`;
  const knownFilter = filters.get(key);
  if (knownFilter) return knownFilter;
  const filter = designFilter(up, down, KERNELS[quality]);
  if (filters.size >= MAX_FILTERS) filters.delete(filters.keys().next().value as string);
  filters.set(key, filter);
  return filter;
}

/** Zero crossings per input sample: below 1 when the output's Nyquist frequency is the lower one. */
function densityOf(up: number, down: number, kernel: Kernel): number {
  return kernel.cutoff * Math.min(1, up / down);
}

function tapsOf(up: number, down: number, kernel: Kernel): number {
  return 4 * Math.ceil(kernel.crossings / densityOf(up, down, kernel) / 2);
}

function designFilter(up: number, down: number, kernel: Kernel): PolyphaseFilter {
  const density = densityOf(up, down, kernel);
  const taps = tapsOf(up, down, kernel);
  const half = taps / 2;
  const coefficients = new Float64Array(up * taps);
  let all = 0;
  for (let phase = 0; phase < up; phase++) {
    const fraction = phase / up;
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      // Tap k multiplies the input sample k - (half - 1) steps after the one at or before the output.
      const value = prototype(kernel, (k - (half - 1) - fraction) * density);
      coefficients[phase * taps + k] = value * density;
      sum += value * density;
    }
    all += sum;
    // Otherwise the phases' pattern would be heard as a tone.
    if (kernel.unity === 'each') for (let k = 0; k < taps; k++) coefficients[phase * taps + k] /= sum;
  }
  if (kernel.unity === 'all') for (let i = 0; i < coefficients.length; i++) coefficients[i] *= up / all;
  return { up, down, taps, coefficients, centre: half - 1 };
}

function polyphase(samples: Float32Array, filter: PolyphaseFilter, length: number): Float32Array {
  const { up, down, taps, coefficients, centre } = filter;
  // Silence on both sides saves a bounds check in the inner loop.
  const padded = new Float64Array(samples.length + 2 * taps);
  padded.set(samples, taps);
  const out = new Float32Array(length);
  const wholeStep = Math.floor(down / up);
  const rest = down % up;
  let phase = 0;
  let base = taps - centre;
  for (let n = 0; n < length; n++) {
    const row = phase * taps;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    // Four sums, so that an addition need not wait for the one before; taps are a multiple of four.
    for (let i = base, j = row, end = row + taps; j < end; i += 4, j += 4) {
      a += padded[i] * coefficients[j];
      b += padded[i + 1] * coefficients[j + 1];
      c += padded[i + 2] * coefficients[j + 2];
      d += padded[i + 3] * coefficients[j + 3];
    }
    out[n] = a + b + (c + d);
    base += wholeStep;
    phase += rest;
    if (phase >= up) {
      phase -= up;
      base++;
    }
  }
  return out;
}

const TABLE_STEPS = 512;
const prototypeTables: Partial<Record<ResampleQuality, Float64Array>> = {};

/** Half of the symmetric prototype at TABLE_STEPS points a zero crossing. */
function tableOfPrototype(quality: ResampleQuality): Float64Array {
  const kernel = KERNELS[quality];
  prototypeTables[quality] ??= Float64Array.from({ length: kernel.crossings * TABLE_STEPS + 2 }, (_, i) =>
    prototype(kernel, i / TABLE_STEPS),
  );
  return prototypeTables[quality];
}

function interpolated(
  samples: Float32Array,
  up: number,
  down: number,
  length: number,
  quality: ResampleQuality,
): Float32Array {
  const table = tableOfPrototype(quality);
  const { crossings, cutoff } = KERNELS[quality];
  const density = cutoff * Math.min(1, up / down);
  const half = crossings / density;
  const step = density * TABLE_STEPS;
  const out = new Float32Array(length);
  for (let n = 0; n < length; n++) {
    const time = (n * down) / up;
    const first = Math.max(0, Math.ceil(time - half));
    const last = Math.min(samples.length - 1, Math.floor(time + half));
    let sum = 0;
    for (let i = first; i <= last; i++) {
      const x = Math.abs(i - time) * step;
      const index = x | 0;
      sum += samples[i] * (table[index] + (x - index) * (table[index + 1] - table[index]));
    }
    out[n] = sum * density;
  }
  return out;
}
