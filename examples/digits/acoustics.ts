// The way from a mouth to a file, simulated once when the data is prepared: the microphone's colour, the
// line's band and quantisation, the noise around. Rooms, speed, gain and masks are not here: the trainer
// draws them anew every epoch.
import { convolve } from '../../src/audio/index.js';
import type { CounterRandom } from '../../src/random/index.js';
import { type Clip, rms } from './synthesis/clip.js';

/** How likely each stage is. */
export interface ChannelOdds {
  readonly microphone: number;
  readonly line: number;
  readonly noise: number;
}

export const TRAINING_ODDS: ChannelOdds = { microphone: 0.7, line: 0.35, noise: 0.4 };

/** Gain, as a factor, at a frequency in Hz. */
type Response = (frequency: number) => number;

/** The clip as it would arrive through a random channel; the input is left alone. */
export function throughChannel(clip: Clip, random: CounterRandom, odds: ChannelOdds): Clip {
  const { sampleRate } = clip;
  const happens = (index: number, odd: number) => random.uniform(index) < odd;
  const responses: Response[] = [];
  if (happens(0, odds.microphone)) responses.push(microphone(sampleRate, random.derive('microphone')));
  const onLine = happens(1, odds.line);
  if (onLine) responses.push(line(random.derive('line')));
  let samples = clip.samples;
  if (responses.length > 0) {
    const combined: Response = (frequency) => responses.reduce((gain, part) => gain * part(frequency), 1);
    samples = centred(samples, firFromResponse(combined, sampleRate, 255));
  }
  if (happens(3, odds.noise)) samples = noise(samples, random.derive('noise'));
  if (onLine && happens(2, 0.5)) samples = muLaw(samples);
  return { samples: withinFullScale(samples), sampleRate };
}

/** Filters raise peaks; what would clip in a file is turned down instead. */
function withinFullScale(samples: Float32Array): Float32Array {
  let peak = 0;
  for (const x of samples) peak = Math.max(peak, Math.abs(x));
  return peak < 1 ? samples : samples.map((x) => (0.98 * x) / peak);
}

/** Uniform in [low, high). */
function between(random: CounterRandom, index: number, low: number, high: number): number {
  return low + (high - low) * random.uniform(index);
}

/** A smooth random frequency response: a tilt and three cosine ripples over log frequency. */
function microphone(sampleRate: number, random: CounterRandom): Response {
  const tilt = between(random, 0, -12, 12);
  const ripples = [1, 2, 3].map((k) => ({
    k,
    decibels: (random.normal(10 + k) * 4) / k,
    phase: between(random, 20 + k, 0, 2 * Math.PI),
  }));
  return (frequency) => {
    const octaves = Math.log2(1 + (15 * frequency) / (sampleRate / 2)) / 4;
    const decibels = ripples.reduce(
      (sum, ripple) => sum + ripple.decibels * Math.cos(Math.PI * ripple.k * octaves + ripple.phase),
      tilt * (octaves - 0.5),
    );
    return 10 ** (decibels / 20);
  };
}

/** A limited band, a telephone's among them. */
function line(random: CounterRandom): Response {
  const highs = [3400, 3600, 3800, 4000, 4000, 5000, 6000, 7000];
  const lows = [50, 80, 100, 200, 300];
  const high = highs[random.integer(0, highs.length)];
  const low = lows[random.integer(1, lows.length)];
  return (frequency) => (frequency >= low && frequency <= high ? 1 : 0);
}

/** Hamming-windowed FIR with the given magnitude response and linear phase. */
function firFromResponse(response: Response, sampleRate: number, length: number): Float32Array {
  const half = (length - 1) / 2;
  const grid = 256;
  const taps = new Float32Array(length);
  const magnitudes = Array.from({ length: grid }, (_, i) => response(((i + 0.5) / grid) * (sampleRate / 2)));
  for (let n = 0; n <= half; n++) {
    let sum = 0;
    for (let i = 0; i < grid; i++) sum += magnitudes[i] * Math.cos((Math.PI * (i + 0.5) * n) / grid);
    const window = 0.54 + 0.46 * Math.cos((Math.PI * n) / (half + 1));
    taps[half + n] = taps[half - n] = (sum / grid) * window;
  }
  return taps;
}

/** Convolution that keeps length and timing. */
function centred(samples: Float32Array, taps: Float32Array): Float32Array {
  const half = (taps.length - 1) / 2;
  return convolve(samples, taps).slice(half, half + samples.length);
}

function muLaw(samples: Float32Array): Float32Array {
  let peak = 1e-9;
  for (const x of samples) peak = Math.max(peak, Math.abs(x));
  const scale = 0.7 / peak;
  const logRange = Math.log(256);
  return samples.map((x) => {
    const compressed = Math.log1p(255 * Math.abs(x * scale)) / logRange;
    const quantised = Math.round(compressed * 127) / 127;
    return (Math.sign(x) * (256 ** quantised - 1)) / 255 / scale;
  });
}

/** Noise from rumble over white to hiss, 5 to 45 dB below the speech. */
function noise(samples: Float32Array, random: CounterRandom): Float32Array {
  const pole = [0, 0.95, 0.7, 0][random.integer(0, 4)];
  const differentiate = random.uniform(1) < 0.25;
  const added = new Float32Array(samples.length);
  let state = 0;
  let previous = 0;
  for (let i = 0; i < added.length; i++) {
    const white = random.normal(16 + i);
    state = pole * state + white;
    added[i] = differentiate ? state - 0.9 * previous : state;
    previous = state;
  }
  const gain = (rms(samples) / Math.max(rms(added), 1e-9)) * 10 ** (-between(random, 2, 5, 45) / 20);
  return samples.map((x, i) => x + gain * added[i]);
}
