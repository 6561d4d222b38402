import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audioBlocks, decodeAudio, type Resampler, resample } from '../../src/audio/index.js';
import { encodeWav } from '../../src/formats/index.js';

/** Of test/golden/scripts/lhotse_resample.py. */
const lhotse = JSON.parse(
  readFileSync(new URL('../golden/resample_lhotse.json', import.meta.url), 'utf8'),
) as {
  readonly cases: readonly {
    readonly resampler: Resampler;
    readonly source: number;
    readonly target: number;
    readonly samples: number;
    readonly data: readonly number[];
  }[];
};

const sine = (hz: number, rate: number, n: number) =>
  Float32Array.from({ length: n }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate));

/** Amplitude in dB of what is left of the middle of `x` after removing the best-fitting sine of `hz`. */
function analyse(x: Float32Array, hz: number, rate: number): { gain: number; residual: number } {
  const from = Math.floor(x.length * 0.3);
  const to = Math.floor(x.length * 0.7);
  let ss = 0;
  let sc = 0;
  let cc = 0;
  let xs = 0;
  let xc = 0;
  for (let i = from; i < to; i++) {
    const s = Math.sin((2 * Math.PI * hz * i) / rate);
    const c = Math.cos((2 * Math.PI * hz * i) / rate);
    ss += s * s;
    sc += s * c;
    cc += c * c;
    xs += x[i] * s;
    xc += x[i] * c;
  }
  const det = ss * cc - sc * sc;
  const a = (xs * cc - xc * sc) / det;
  const b = (xc * ss - xs * sc) / det;
  let error = 0;
  for (let i = from; i < to; i++) {
    const angle = (2 * Math.PI * hz * i) / rate;
    error += (x[i] - a * Math.sin(angle) - b * Math.cos(angle)) ** 2;
  }
  return {
    gain: 20 * Math.log10(Math.hypot(a, b)),
    residual: 10 * Math.log10((2 * error) / (to - from) + 1e-20),
  };
}

const level = (x: Float32Array) => {
  const middle = x.subarray(Math.floor(x.length * 0.3), Math.floor(x.length * 0.7));
  return 10 * Math.log10((2 * middle.reduce((s, v) => s + v * v, 0)) / middle.length + 1e-20);
};

describe('resample', () => {
  it.each([
    [8000, 16000],
    [44100, 16000],
    [48000, 16000],
    [22050, 16000],
    [16000, 8000],
    [11025, 16000],
    [15991, 16000], // no small common factor: the interpolating path
  ])('%i to %i Hz keeps tones of the pass-band and removes the others', (from, to) => {
    const nyquist = Math.min(from, to) / 2;
    for (const share of [0.01, 0.3, 0.6, 0.85]) {
      const out = resample(sine(nyquist * share, from, 16000), from, to);
      const { gain, residual } = analyse(out, nyquist * share, to);
      expect(Math.abs(gain)).toBeLessThan(0.02);
      expect(residual).toBeLessThan(-80);
    }
    if (to < from) {
      for (const hz of [nyquist * 1.01, (nyquist + from / 2) / 2, (from / 2) * 0.98]) {
        expect(level(resample(sine(hz, from, 16000), from, to))).toBeLessThan(-80);
      }
    }
  });

  it.each([
    [16000, 17600],
    [17600, 16000],
    [15991, 16000],
  ])('fast, %i to %i Hz: a narrower pass-band and a little more left beyond it', (from, to) => {
    const nyquist = Math.min(from, to) / 2;
    for (const share of [0.01, 0.3, 0.65]) {
      const { gain, residual } = analyse(
        resample(sine(nyquist * share, from, 16000), from, to, 'fast'),
        nyquist * share,
        to,
      );
      expect(Math.abs(gain)).toBeLessThan(0.05);
      expect(residual).toBeLessThan(-65);
    }
    if (to < from) {
      expect(level(resample(sine(nyquist * 1.05, from, 16000), from, to, 'fast'))).toBeLessThan(-70);
    }
  });

  it('gives ceil(n * to / from) samples', () => {
    for (const [n, from, to] of [
      [1, 44100, 16000],
      [441, 44100, 16000],
      [442, 44100, 16000],
      [1000, 16000, 44100],
      [7, 15991, 16000],
    ]) {
      expect(resample(new Float32Array(n), from, to).length).toBe(Math.ceil((n * to) / from));
    }
    expect(resample(new Float32Array(0), 8000, 16000).length).toBe(0);
  });

  it('passes a constant and the place of an event', () => {
    const flat = resample(new Float32Array(4000).fill(0.5), 44100, 16000);
    expect(Math.abs(flat[700] - 0.5)).toBeLessThan(1e-5);
    const click = new Float32Array(4000);
    click[1000] = 1;
    const out = resample(click, 8000, 16000);
    expect(out.indexOf(Math.max(...out))).toBe(2000);
  });

  it.each(lhotse.cases)('as lhotse by $resampler, $source to $target Hz', async (golden) => {
    const { resampler, source, target, samples, data } = golden;
    const wave = Float32Array.from(
      { length: samples },
      (_, i) => 0.4 * Math.sin(0.07 * i + 3e-4 * i * i) + 0.1 * Math.sin(2.9 * i),
    );
    // torchaudio rounds the phases of its filters to float32.
    const most = resampler === 'scipy' ? 1e-6 : 1e-5;
    const difference = (found: Float32Array) => {
      expect(found.length).toBe(data.length);
      return data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[i])), 0);
    };
    expect(difference(resample(wave, source, target, resampler))).toBeLessThan(most);
    expect(difference(resample(wave, source, target))).toBeGreaterThan(1e-4);
    const folder = mkdtempSync(join(tmpdir(), 'anemone-resample-'));
    const path = join(folder, 'a.wav');
    writeFileSync(path, encodeWav([wave], { sampleRate: source, encoding: 'float' }));
    const options = { targetSampleRate: target, resampler };
    expect(difference((await decodeAudio(path, options)).samples)).toBeLessThan(most);
    const blocks: number[] = [];
    for await (const block of audioBlocks(path, options)) blocks.push(...block);
    expect(difference(Float32Array.from(blocks))).toBeLessThan(most);
    rmSync(folder, { recursive: true });
  });

  it('knows its ways by name', () => {
    expect(() => resample(new Float32Array(9), 8000, 16000, 'soxr' as never)).toThrow(
      expect.objectContaining({
        code: 'audio.resampler',
        message: expect.stringMatching(/best, scipy, torchaudio/),
      }),
    );
  });

  it('leaves equal rates alone and refuses nonsense', () => {
    const x = sine(100, 8000, 10);
    expect(resample(x, 8000, 8000)).toBe(x);
    for (const rate of [0, -1, Number.NaN]) {
      expect(() => resample(x, 8000, rate)).toThrow(expect.objectContaining({ code: 'audio.sample-rate' }));
    }
  });
});
