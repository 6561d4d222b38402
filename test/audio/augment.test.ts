import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  Augmentor,
  BUILTIN_AUGMENTATIONS,
  convolve,
  realTransform,
  reverberate,
  roomResponse,
  timeStretch,
} from '../../src/audio/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';

const RATE = 16000;
const random = new CounterRandom(11);
const directory = mkdtempSync(join(tmpdir(), 'anemone-augment-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const tone = (hz: number, seconds = 0.5) =>
  Float32Array.from({ length: seconds * RATE }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / RATE));
const noise = (n: number, key = 'n') =>
  Float32Array.from({ length: n }, (_, i) => 0.1 * random.derive(key).normal(i));
const power = (x: Float32Array) => x.reduce((s, v) => s + v * v, 0) / x.length;
const db = (x: Float32Array) => 10 * Math.log10(power(x));

/** Frequency of the strongest bin of the middle of a signal, in Hz. */
function peakHz(x: Float32Array): number {
  const size = 4096;
  const transform = realTransform(size);
  const out = new Float64Array(transform.bins);
  const window = Float64Array.from(
    { length: size },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size),
  );
  transform.power(Float64Array.from(x), Math.floor((x.length - size) / 2), window, out);
  return (out.indexOf(Math.max(...out)) * RATE) / size;
}

const run = (config: Record<string, unknown>, x: Float32Array, seed = 1) =>
  Augmentor.fromConfig(config).apply(x, RATE, new CounterRandom(seed));

describe('tempo and pitch', () => {
  it('speed 1.25 is shorter and higher', async () => {
    const out = await run(
      { speed: { prob: 1, min_speed_rate: 1.25, max_speed_rate: 1.25, num_rates: 1 } },
      tone(400),
    );
    expect(out.length).toBe(6400);
    expect(Math.abs(peakHz(out) - 500)).toBeLessThan(5);
  });

  it.each([0.8, 1.25])('time_stretch %d changes the length and keeps the pitch and level', async (rate) => {
    const config = { time_stretch: { prob: 1, min_speed_rate: rate, max_speed_rate: rate } };
    const out = await run(config, tone(400));
    expect(out.length).toBe(Math.round(8000 / rate));
    expect(Math.abs(peakHz(out) - 400)).toBeLessThan(5);
    expect(Math.abs(db(out) - db(tone(400)))).toBeLessThan(0.3);
  });

  it('pitch changes the pitch and keeps the length', async () => {
    const out = await run({ pitch: { prob: 1, min_semitones: 4, max_semitones: 4 } }, tone(400));
    expect(out.length).toBe(8000);
    expect(Math.abs(peakHz(out) / 400 - 2 ** (4 / 12))).toBeLessThan(0.02);
  });

  it('time stretching keeps an onset where it belongs', () => {
    const x = new Float32Array(16000);
    x.set(noise(4000), 8000);
    const out = timeStretch(x, RATE, 0.8);
    const onset = out.findIndex((v) => Math.abs(v) > 0.02);
    expect(Math.abs(onset - 10000)).toBeLessThan(400);
    expect(timeStretch(x, RATE, 1)).toBe(x);
  });
});

describe('level and position', () => {
  it('gain, white_noise, shift, silence do what they say', async () => {
    const x = tone(400);
    const louder = await run({ gain: { prob: 1, min_gain_dbfs: 6, max_gain_dbfs: 6 } }, x);
    expect(db(louder) - db(x)).toBeCloseTo(6, 3);
    const noisy = await run({ white_noise: { prob: 1, min_level: -40, max_level: -40 } }, x);
    expect(db(noisy.map((v, i) => v - x[i]))).toBeCloseTo(-40, 0);
    const earlier = await run({ shift: { prob: 1, min_shift_ms: 10, max_shift_ms: 10 } }, x);
    expect([...earlier.subarray(0, 50)]).toEqual([...x.subarray(160, 210)]);
    expect(earlier.subarray(-160).every((v) => v === 0)).toBe(true);
    const later = await run({ shift: { prob: 1, min_shift_ms: -10, max_shift_ms: -10 } }, x);
    expect([...later.subarray(160, 200)]).toEqual([...x.subarray(0, 40)]);
    const padded = await run(
      {
        silence: {
          prob: 1,
          min_start_silence_secs: 0.1,
          max_start_silence_secs: 0.1,
          max_end_silence_secs: 0,
        },
      },
      x,
    );
    expect([padded.length, padded[1599], padded[1601]]).toEqual([9600, 0, x[1]]);
  });
});

describe('rooms and recordings', () => {
  it('convolve equals the sum it stands for', () => {
    for (const [n, m] of [
      [5, 3],
      [3000, 700],
      [700, 3000],
      [5000, 1],
    ]) {
      const [x, h] = [noise(n, 'x'), noise(m, 'h')];
      const out = convolve(x, h);
      expect(out.length).toBe(n + m - 1);
      for (const at of [0, 1, Math.floor(out.length / 2), out.length - 1]) {
        let sum = 0;
        for (let k = 0; k < m; k++) sum += h[k] * (x[at - k] ?? 0);
        expect(out[at]).toBeCloseTo(sum, 6);
      }
    }
  });

  it('reverberation keeps length, loudness and the place of the direct sound', () => {
    const response = Float32Array.of(0, 0, 0.1, -0.8, 0.2);
    const x = noise(1000);
    const out = reverberate(x, response);
    expect(out.length).toBe(1000);
    expect(db(out)).toBeCloseTo(db(x), 4);
    const correlation = out.reduce((s, v, i) => s + v * x[i], 0) / (1000 * power(x));
    expect(correlation).toBeLessThan(-0.9);
  });

  it('a simulated room decays by 60 dB in its reverberation time', () => {
    for (const rt60 of [0.2, 0.5]) {
      const slopes = Array.from({ length: 8 }, (_, seed) => {
        const h = roomResponse(RATE, new CounterRandom(seed), { rt60: [rt60, rt60], distance: [1, 1] });
        expect(h.indexOf(Math.max(...h.subarray(0, 20)))).toBe(0);
        const part = (a: number, b: number) => db(h.subarray(a * rt60 * RATE, b * rt60 * RATE));
        return (part(0.4, 0.5) - part(0.8, 0.9)) / 0.4;
      });
      const mean = slopes.reduce((a, b) => a + b) / slopes.length;
      expect(Math.abs(mean - 60)).toBeLessThan(6);
    }
  });

  it('noise from a manifest comes at the drawn ratio', async () => {
    writeFileSync(join(directory, 'long.wav'), encodeWav([noise(40000)], { sampleRate: RATE }));
    writeFileSync(join(directory, 'short.wav'), encodeWav([noise(2000)], { sampleRate: RATE }));
    const x = tone(400);
    for (const file of ['long.wav', 'short.wav']) {
      const manifest = join(directory, `${file}.json`);
      writeFileSync(manifest, `${JSON.stringify({ audio_filepath: file, duration: 1 })}\n\n`);
      const config = { noise: { prob: 1, manifest_path: manifest, min_snr_db: 20, max_snr_db: 20 } };
      const out = await run(config, x);
      const added = out.map((v, i) => v - x[i]).filter((v) => v !== 0);
      expect(db(x) - db(added)).toBeCloseTo(20, 1);
      expect(added.length).toBeGreaterThan(file === 'long.wav' ? 7900 : 1900);
      expect(added.length).toBeLessThan(file === 'long.wav' ? 8001 : 2001);
    }
  });

  it('impulse responses from a manifest', async () => {
    const echo = new Float32Array(400);
    echo[0] = 0.9;
    echo[300] = 0.45;
    writeFileSync(join(directory, 'echo.wav'), encodeWav([echo], { sampleRate: RATE, encoding: 'float' }));
    const manifest = join(directory, 'echo.json');
    writeFileSync(manifest, JSON.stringify({ audio_filepath: 'echo.wav' }));
    const click = new Float32Array(1000);
    click[100] = 1;
    for (const name of ['impulse', 'rir']) {
      const out = await run({ [name]: { prob: 1, manifest_path: manifest } }, click);
      expect(out[400] / out[100]).toBeCloseTo(0.5, 5);
    }
  });
});

describe('Augmentor', () => {
  const everything = {
    speed: { prob: 0.5, sr: 16000, resample_type: 'kaiser_fast' },
    pitch: { prob: 0.5 },
    time_stretch: { prob: 0.5, n_fft: 512 },
    gain: { prob: 0.5 },
    simulated_room: { prob: 0.5 },
    white_noise: { prob: 0.5 },
    shift: { prob: 0.5 },
    silence: { prob: 0.5, max_end_silence_secs: 0.1 },
  };

  it('is a pure function of the stream and finite for odd inputs', async () => {
    const chain = Augmentor.fromConfig(everything);
    expect(chain.warnings).toEqual([]);
    const x = noise(8000);
    const copy = x.slice();
    for (let seed = 0; seed < 6; seed++) {
      const once = await chain.apply(x, RATE, new CounterRandom(seed));
      expect(await chain.apply(x, RATE, new CounterRandom(seed))).toEqual(once);
      expect(once.every(Number.isFinite)).toBe(true);
      for (const odd of [new Float32Array(0), new Float32Array(1), new Float32Array(5000)]) {
        expect((await chain.apply(odd, RATE, new CounterRandom(seed))).every(Number.isFinite)).toBe(true);
      }
    }
    expect(x).toEqual(copy);
  });

  it('applies each step with its probability', async () => {
    const chain = Augmentor.fromConfig({ gain: { prob: 0.3, min_gain_dbfs: 3, max_gain_dbfs: 3 } });
    let applied = 0;
    const x = Float32Array.of(1);
    for (let i = 0; i < 2000; i++) if ((await chain.apply(x, RATE, random.derive(i))) !== x) applied++;
    expect(Math.abs(applied / 2000 - 0.3)).toBeLessThan(0.04);
  });

  it('takes registered augmentations beside the built-in ones', async () => {
    const registry = new Map([
      ...BUILTIN_AUGMENTATIONS,
      ['reverse', () => ({ apply: (x: Float32Array) => x.toReversed() })] as const,
    ]);
    const chain = Augmentor.fromConfig({ reverse: { prob: 1 } }, { registry });
    expect([...(await chain.apply(Float32Array.of(1, 2), RATE, random))]).toEqual([2, 1]);
    expect([...(await Augmentor.fromConfig(null).apply(Float32Array.of(1), RATE, random))]).toEqual([1]);
  });

  it.each<[Record<string, unknown>, string, RegExp]>([
    [{ sped: { prob: 1 } }, 'augmentor.sped', /did you mean "speed"/],
    [{ gain: { min_gain_dbfs: 1 } }, 'augmentor.gain.prob', /probability/],
    [{ gain: { prob: 1, max_gain_db: 1 } }, 'augmentor.gain.max_gain_db', /max_gain_dbfs/],
    [{ gain: { prob: 1, min_gain_dbfs: 'x' } }, 'augmentor.gain.min_gain_dbfs', /a number/],
    [{ gain: { prob: 1, min_gain_dbfs: 20 } }, 'augmentor.gain.min_gain_dbfs', /greater/],
    [{ noise: { prob: 1 } }, 'augmentor.noise.manifest_path', /path/],
    [{ shift: 3 }, 'augmentor.shift', /map/],
  ])('refuses %j', (config, path, message) => {
    const error = (() => {
      try {
        Augmentor.fromConfig(config);
      } catch (e) {
        return e as { path: string; message: string };
      }
      return undefined;
    })();
    expect(error?.path).toBe(path);
    expect(error?.message).toMatch(message);
  });

  it('names a manifest that is missing, empty or broken', () => {
    const config = (manifest_path: string) => ({ noise: { prob: 1, manifest_path } });
    const code = (path: string) => expect.objectContaining({ code: path });
    expect(() => Augmentor.fromConfig(config(join(directory, 'no.json')))).toThrow(code('manifest.missing'));
    writeFileSync(join(directory, 'empty.json'), '\n');
    expect(() => Augmentor.fromConfig(config(join(directory, 'empty.json')))).toThrow(code('manifest.empty'));
    writeFileSync(join(directory, 'broken.json'), '{"a": 1}\nnonsense');
    expect(() => Augmentor.fromConfig(config(join(directory, 'broken.json')))).toThrow(
      code('manifest.corrupt'),
    );
  });
});
