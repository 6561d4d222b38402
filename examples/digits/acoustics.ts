// The way from a mouth to a file: room, microphone, line and noise, simulated. Training and validation
// speech gets it once when the data is prepared, which makes synthetic voices differ in more than voice.
// On-the-fly augmentation (speed, gain, noise, masks) is the trainer's and comes on top.
import type { CounterRandom } from '../../src/random/index.js';
import { type Clip, rms } from './synthesis/clip.js';

/** How likely each stage is. */
export interface ChannelOdds {
  readonly room: number;
  readonly microphone: number;
  readonly line: number;
  readonly noise: number;
}

export const TRAINING_ODDS: ChannelOdds = { room: 0.4, microphone: 0.7, line: 0.35, noise: 0.5 };

/** The clip as it would arrive through a random channel; the input is left alone. */
export function throughChannel(clip: Clip, random: CounterRandom, odds: ChannelOdds): Clip {
  const { sampleRate } = clip;
  let samples = clip.samples;
  const happens = (index: number, odd: number) => random.uniform(index) < odd;
  if (happens(0, odds.room)) samples = room(samples, sampleRate, random.derive('room'));
  if (happens(1, odds.microphone)) samples = microphone(samples, sampleRate, random.derive('microphone'));
  if (happens(2, odds.line)) samples = line(samples, sampleRate, random.derive('line'));
  if (happens(3, odds.noise)) samples = noise(samples, random.derive('noise'));
  return { samples, sampleRate };
}

/** Uniform in [low, high). */
function between(random: CounterRandom, index: number, low: number, high: number): number {
  return low + (high - low) * random.uniform(index);
}

/** Full convolution by overlap of taps; fine for the few thousand taps of a short room. */
function convolve(samples: Float32Array, taps: Float32Array, length: number): Float32Array {
  const out = new Float32Array(length);
  for (let k = 0; k < taps.length; k++) {
    const tap = taps[k];
    if (tap === 0) continue;
    const end = Math.min(samples.length, length - k);
    for (let i = 0; i < end; i++) out[i + k] += tap * samples[i];
  }
  return out;
}

/** The direct sound, a few reflections, and a sparse exponentially decaying tail. */
function room(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
  const reverberation = between(random, 0, 0.08, 0.45);
  const taps = new Float32Array(Math.round(reverberation * sampleRate));
  const tail = 10 ** (-between(random, 1, -3, 15) / 20);
  // One tap in sixteen: echoes are dense enough for a speech model and cost a sixteenth.
  const count = Math.floor(taps.length / 16);
  let energy = 0;
  for (let i = 0; i < count; i++) {
    const at = 16 * i + random.integer(100 + 2 * i, 16);
    taps[at] = random.normal(50_000 + i) * Math.exp((-6.9 * at) / taps.length);
    energy += taps[at] ** 2;
  }
  const scale = tail / Math.sqrt(Math.max(energy, 1e-9));
  for (let i = 0; i < taps.length; i++) taps[i] *= scale;
  for (let i = 0; i < 4; i++) {
    taps[Math.floor(between(random, 2 + 2 * i, 0.001, 0.02) * sampleRate)] += between(
      random,
      3 + 2 * i,
      -0.4,
      0.4,
    );
  }
  taps[0] = 1;
  return convolve(samples, taps, samples.length + Math.round(0.1 * sampleRate));
}

/** A smooth random frequency response: a tilt and three cosine ripples over log frequency. */
function microphone(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
  const tilt = between(random, 0, -12, 12);
  const ripples = [1, 2, 3].map((k) => ({
    k,
    decibels: (random.normal(10 + k) * 4) / k,
    phase: between(random, 20 + k, 0, 2 * Math.PI),
  }));
  const response = (frequency: number) => {
    const octaves = Math.log2(1 + (15 * frequency) / (sampleRate / 2)) / 4;
    const decibels = ripples.reduce(
      (sum, ripple) => sum + ripple.decibels * Math.cos(Math.PI * ripple.k * octaves + ripple.phase),
      tilt * (octaves - 0.5),
    );
    return 10 ** (decibels / 20);
  };
  return centred(samples, firFromResponse(response, sampleRate, 127));
}

/** A limited band (a telephone's among them), half of the time with mu-law's quantisation. */
function line(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
  const highs = [3400, 3600, 3800, 4000, 4000, 5000, 6000, 7000];
  const lows = [50, 80, 100, 200, 300];
  const high = highs[random.integer(0, highs.length)];
  const low = lows[random.integer(1, lows.length)];
  const response = (frequency: number) => (frequency >= low && frequency <= high ? 1 : 0);
  const out = centred(samples, firFromResponse(response, sampleRate, 255));
  return random.uniform(2) < 0.5 ? muLaw(out) : out;
}

/** Hamming-windowed FIR with the given magnitude response and linear phase. */
function firFromResponse(
  response: (frequency: number) => number,
  sampleRate: number,
  length: number,
): Float32Array {
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
  return convolve(samples, taps, samples.length + half).subarray(half);
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
