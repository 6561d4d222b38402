// The front end's variants against direct transcriptions of their definitions.
import { describe, expect, it } from 'vitest';
import {
  analysisWindow,
  ComplexFft,
  type MelConfig,
  MelFrontEnd,
  melFilterbank,
  realTransform,
} from '../../src/audio/index.js';
import { CounterRandom } from '../../src/random/index.js';

const random = new CounterRandom(7);
const noise = (n: number, key = 'x') =>
  Float32Array.from({ length: n }, (_, i) => 0.1 * random.derive(key).normal(i));

describe('Fourier transforms', () => {
  it.each([2, 4, 8, 512, 1024, 3, 100, 441, 400])('power of a real signal of %i samples', (size) => {
    const x = Float64Array.from(noise(size + 3));
    const transform = realTransform(size);
    const out = new Float64Array(transform.bins);
    transform.power(x, 3, new Float64Array(size).fill(1), out);
    for (let k = 0; k < transform.bins; k += Math.max(1, Math.floor(size / 16))) {
      let re = 0;
      let im = 0;
      for (let n = 0; n < size; n++) {
        re += x[3 + n] * Math.cos((2 * Math.PI * k * n) / size);
        im -= x[3 + n] * Math.sin((2 * Math.PI * k * n) / size);
      }
      expect(Math.abs(out[k] - (re * re + im * im))).toBeLessThan(1e-10);
    }
  });

  it('the inverse undoes the transform', () => {
    const fft = new ComplexFft(64);
    const re = Float64Array.from(noise(64, 're'));
    const im = Float64Array.from(noise(64, 'im'));
    const [r, i] = [re.slice(), im.slice()];
    fft.forward(r, i);
    fft.inverse(r, i);
    for (let k = 0; k < 64; k++) {
      expect(r[k]).toBeCloseTo(re[k], 12);
      expect(i[k]).toBeCloseTo(im[k], 12);
    }
  });
});

describe('windows', () => {
  it('are symmetric with the known middles and ends', () => {
    const ends = { hann: 0, hamming: 0.08, blackman: 0, bartlett: 0, none: 1, ones: 1 } as const;
    for (const [type, end] of Object.entries(ends)) {
      const window = analysisWindow(type as keyof typeof ends, 401);
      expect(window[0]).toBeCloseTo(end, 6);
      expect(window[400]).toBeCloseTo(end, 6);
      expect(window[200]).toBeCloseTo(1, 6);
      expect(window[100]).toBeCloseTo(window[300], 6);
    }
  });
});

/** The whole pipeline for one utterance, written as plainly as possible. */
function plain(audio: Float32Array, front: MelFrontEnd): number[][] {
  const c = front.config;
  const reflect = c.nemo_compat === '1.x';
  const pad = (x: number[], by: number) => {
    const at = (i: number) => {
      if (i >= 0 && i < x.length) return x[i];
      if (!reflect) return 0;
      return i < 0 ? x[-i] : x[2 * (x.length - 1) - i];
    };
    return Array.from({ length: x.length + 2 * by }, (_, i) => at(i - by));
  };
  let x = [...audio];
  if (c.exact_pad) x = pad(x, Math.floor((c.fftSize - c.hop) / 2));
  if (c.preemph !== null) {
    x = x.map((v, i) => (i === 0 ? v : v - (c.preemph as number) * x[i - 1]));
    if (!reflect) x = x.map((v, i) => (i < audio.length ? v : 0));
  }
  if (!c.exact_pad) x = pad(x, Math.floor(c.fftSize / 2));
  const left = Math.floor((c.fftSize - c.windowLength) / 2);
  const bins = Math.floor(c.fftSize / 2) + 1;
  return Array.from({ length: front.frameCount(audio.length) }, (_, t) => {
    const powers = Array.from({ length: bins }, (_, k) => {
      let re = 0;
      let im = 0;
      for (let n = 0; n < c.windowLength; n++) {
        const v = x[t * c.hop + left + n] * front.window[n];
        re += v * Math.cos((2 * Math.PI * k * (left + n)) / c.fftSize);
        im += v * Math.sin((2 * Math.PI * k * (left + n)) / c.fftSize);
      }
      return Math.hypot(re, im) ** c.mag_power;
    });
    return Array.from({ length: c.features }, (_, f) => {
      const mel = powers.reduce((s, p, k) => s + p * front.filterbank[f * bins + k], 0);
      if (!c.log) return mel;
      return Math.log(c.log_zero_guard_type === 'add' ? mel + c.guard : Math.max(mel, c.guard));
    });
  });
}

describe('MelFrontEnd', () => {
  const base: Partial<MelConfig> = {
    features: 8,
    n_fft: 64,
    n_window_size: 50,
    n_window_stride: 20,
    normalize: 'NA',
    window_size: null,
    window_stride: null,
  };

  it.each<[string, Partial<MelConfig>]>([
    ['1.x', { nemo_compat: '1.x' }],
    ['2.5', { nemo_compat: '2.5' }],
    ['no pre-emphasis', { preemph: null }],
    ['exact_pad 1.x', { exact_pad: true, nemo_compat: '1.x' }],
    ['exact_pad 2.5', { exact_pad: true, nemo_compat: '2.5' }],
    ['magnitude, clamped log', { mag_power: 1, log_zero_guard_type: 'clamp', log_zero_guard_value: 'eps' }],
    ['cubed, no log', { mag_power: 3, log: false }],
    ['a band, peak-normed filters', { lowfreq: 300, highfreq: 6000, mel_norm: null, window: 'hamming' }],
    ['a transform that is no power of two', { n_fft: 60 }],
    ['an odd transform', { n_fft: 63 }],
  ])('equals the definition: %s', (_, change) => {
    const front = new MelFrontEnd({ ...base, ...change });
    const audio = noise(333);
    const { features, frames } = front.compute(audio);
    const expected = plain(audio, front).flat();
    expect(frames * 8).toBe(expected.length);
    features.forEach((v, i) => {
      expect(Math.abs(v - expected[i])).toBeLessThan(1e-4);
    });
  });

  it('normalises over valid frames: per_feature, all_features, fixed', () => {
    const audio = noise(4000);
    const raw = new MelFrontEnd(base).compute(audio).features;
    const column = (x: Float32Array, f: number) => [...x].filter((_, i) => i % 8 === f);
    const mean = (x: number[]) => x.reduce((a, b) => a + b) / x.length;
    const std = (x: number[]) => Math.sqrt(x.reduce((s, v) => s + (v - mean(x)) ** 2, 0) / (x.length - 1));
    const perFeature = new MelFrontEnd({ ...base, normalize: 'per_feature' }).compute(audio).features;
    const c3 = column(raw, 3);
    expect(perFeature[3]).toBeCloseTo((c3[0] - mean(c3)) / (std(c3) + 1e-5), 4);
    const all = new MelFrontEnd({ ...base, normalize: 'all_features' }).compute(audio).features;
    expect(all[3]).toBeCloseTo((raw[3] - mean([...raw])) / (std([...raw]) + 1e-5), 4);
    const fixed = { fixed_mean: Array(8).fill(-3) as number[], fixed_std: Array(8).fill(2) as number[] };
    const fix = new MelFrontEnd({ ...base, normalize: fixed }).compute(audio).features;
    expect(fix[3]).toBeCloseTo((raw[3] + 3) / 2, 5);
  });

  it('one utterance equals its part of a batch from 2.5 on; padding leaks in before', () => {
    const [long, short] = [noise(4000), noise(2500, 'y')];
    for (const nemo_compat of ['2.5', '1.x'] as const) {
      const front = new MelFrontEnd({ ...base, nemo_compat });
      const batch = front.computeBatch([long, short]);
      const alone = front.compute(short);
      const [, bins, frames] = batch.shape;
      let differ = 0;
      for (let t = 0; t < alone.frames; t++) {
        for (let f = 0; f < bins; f++) {
          if (batch.features[(bins + f) * frames + t] !== alone.features[t * bins + f]) differ = differ || t;
        }
      }
      if (nemo_compat === '2.5') expect(differ).toBe(0);
      else expect(differ).toBeGreaterThan(alone.frames - 4);
      const padded = front.compute(short, { paddedSamples: 4000 });
      expect(padded.features[(alone.frames - 1) * bins]).toBe(
        batch.features[bins * frames + alone.frames - 1],
      );
    }
  });

  it('pads batches: pad_to, pad_value, "max"', () => {
    const front = new MelFrontEnd({ ...base, pad_to: 16, pad_value: -9 });
    const { shape, lengths, features } = front.computeBatch([noise(4000), noise(90)]);
    expect(shape).toEqual([2, 8, 208]);
    expect([...lengths]).toEqual([200, 4]);
    expect(features[208 * 8 + 4]).toBe(-9);
    const max = new MelFrontEnd({ ...base, pad_to: 'max', max_duration: 1 });
    expect(max.computeBatch([noise(4000)]).shape[2]).toBe(800);
  });

  it('adds dither and narrow-band noise only in training, reproducibly', () => {
    const front = new MelFrontEnd({ ...base, dither: 0.01, nb_augmentation_prob: 1, nb_max_freq: 2000 });
    const audio = noise(1000);
    const evaluated = front.compute(audio).features;
    expect(front.compute(audio).features).toEqual(evaluated);
    const stream = new CounterRandom(1);
    const trained = front.compute(audio, { training: true, random: stream }).features;
    expect(front.compute(audio, { training: true, random: stream }).features).toEqual(trained);
    expect(trained).not.toEqual(evaluated);
    expect(trained[7]).toBeCloseTo(Math.log(2 ** -24), 4); // the highest band is gone
    expect(() => front.compute(audio, { training: true })).toThrow(/random stream/);
  });

  it('takes the tables of a checkpoint', () => {
    const filterbank = melFilterbank({
      sampleRate: 16000,
      fftSize: 64,
      filters: 8,
      low: 0,
      high: 8000,
      norm: null,
    });
    const front = new MelFrontEnd(base, { filterbank, window: new Float32Array(50).fill(1) });
    const audio = noise(400);
    expect(front.compute(audio).features[0]).toBeCloseTo(plain(audio, front)[0][0], 4);
    expect(() => new MelFrontEnd(base, { window: new Float32Array(3) })).toThrow(/needs 50/);
  });

  it('answers for very short audio', () => {
    const now = new MelFrontEnd({ ...base, normalize: 'per_feature' });
    expect(now.compute(new Float32Array(0)).frames).toBe(0);
    expect(now.compute(noise(19)).frames).toBe(0);
    expect([...now.compute(noise(20)).features]).toEqual(Array(8).fill(0));
    const before = new MelFrontEnd({ ...base, nemo_compat: '1.x', normalize: 'per_feature' });
    expect(() => before.compute(noise(30))).toThrow(expect.objectContaining({ code: 'audio.too-short' }));
  });

  it.each(['per_feature', 'none'])(
    'frame_splicing has each frame so often, as NeMo has it (%s)',
    (normalize) => {
      const config = { sample_rate: 16000, features: 4, dither: 0, pad_to: 0, normalize };
      const samples = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i ** 1.3 / 40));
      const plain = new MelFrontEnd(config).computeBatch([samples]);
      const spliced = new MelFrontEnd({ ...config, frame_splicing: 3 }).computeBatch([samples]);
      const [, bins, frames] = plain.shape;
      expect(spliced.shape).toEqual([1, 3 * bins, frames]);
      for (const n of [0, 1, 2]) {
        const part = spliced.features.subarray(n * bins * frames, (n + 1) * bins * frames);
        expect([...part]).toEqual([...plain.features]);
      }
    },
  );

  it.each<[Partial<MelConfig>, string]>([
    [{ frame_splicing: 0 }, 'frame_splicing'],
    [{ use_torchaudio: true }, 'use_torchaudio'],
    [{ n_window_size: 400, window_size: 0.02 }, 'n_window_size'],
    [{ n_fft: 128 }, 'n_fft'],
    [{ window: 'kaiser' as 'hann' }, 'window'],
    [{ highfreq: 10, lowfreq: 20 }, 'highfreq'],
    [{ features: 0 }, 'features'],
    [{ normalize: { fixed_mean: [1], fixed_std: [1] } }, 'normalize.fixed_mean'],
    [{ log_zero_guard_value: 0 }, 'log_zero_guard_value'],
  ])('refuses %j', (config, path) => {
    expect(() => new MelFrontEnd(config)).toThrow(
      expect.objectContaining({ code: 'audio.features-config', path }),
    );
  });
});
