import { describe, expect, it } from 'vitest';
import { SpectrogramAugmentation } from '../../src/audio/index.js';
import { CounterRandom } from '../../src/random/index.js';

const T = 100;
const F = 80;

/** Masked frames and bins of an array of ones after augmentation. */
function masked(config: ConstructorParameters<typeof SpectrogramAugmentation>[0], seed: number) {
  const x = new Float32Array(T * F).fill(1);
  new SpectrogramAugmentation(config).apply(x, T, new CounterRandom(seed));
  // A frame or bin is wholly masked when as many of its values are zero as it has.
  const perFrame = new Uint16Array(T);
  const perBin = new Uint16Array(F);
  x.forEach((v, i) => {
    if (v !== 0) return;
    perFrame[Math.floor(i / F)]++;
    perBin[i % F]++;
  });
  const frames = perFrame.filter((n) => n === F).length;
  const bins = perBin.filter((n) => n === T).length;
  return { frames, bins, all: perFrame.reduce((a, b) => a + b, 0), x };
}

const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
const seeds = Array.from({ length: 1500 }, (_, i) => i);

describe('SpectrogramAugmentation', () => {
  it('2.x: widths are uniform below the maximum', () => {
    const widths = seeds.map((s) => masked({ freq_masks: 1, freq_width: 27 }, s).bins);
    expect(Math.max(...widths)).toBe(26);
    expect(Math.min(...widths)).toBe(0);
    expect(Math.abs(mean(widths) - 13)).toBeLessThan(0.8);
    const times = seeds.map((s) => masked({ time_masks: 1, time_width: 0.05 }, s).frames);
    expect(Math.max(...times)).toBe(4);
    expect(Math.abs(mean(times) - 2)).toBeLessThan(0.12);
  });

  it('1.x: widths reach the maximum', () => {
    const config = { nemo_compat: '1.x' } as const;
    const widths = seeds.map((s) => masked({ ...config, freq_masks: 1, freq_width: 27 }, s).bins);
    expect(Math.max(...widths)).toBe(27);
    expect(Math.abs(mean(widths) - 13.5)).toBeLessThan(0.8);
    const times = seeds.map((s) => masked({ ...config, time_masks: 1, time_width: 0.05 }, s).frames);
    expect(Math.max(...times)).toBe(5);
    expect(Math.abs(mean(times) - 2.5)).toBeLessThan(0.12);
  });

  it('cutout stays within its rectangles', () => {
    const areas = seeds
      .slice(0, 500)
      .map((s) => masked({ rect_masks: 1, rect_time: 5, rect_freq: 20 }, s).all);
    expect(Math.max(...areas)).toBeLessThanOrEqual(100);
    expect(Math.abs(mean(areas) - 25)).toBeLessThan(4);
  });

  it('is a function of the stream and fills with mask_value', () => {
    const config = { freq_masks: 2, time_masks: 10, freq_width: 27, time_width: 0.05 };
    expect(masked(config, 5).x).toEqual(masked(config, 5).x);
    expect(masked(config, 5).x).not.toEqual(masked(config, 6).x);
    const x = new Float32Array(T * F).fill(1);
    new SpectrogramAugmentation({ ...config, mask_value: -7 }).apply(x, T, new CounterRandom(1));
    expect(new Set(x)).toEqual(new Set([1, -7]));
  });

  it('a batch [B, F, T] gets per item what the item alone gets', () => {
    const augmentation = new SpectrogramAugmentation({ freq_masks: 2, time_masks: 5, time_width: 0.2 });
    const batch = new Float32Array(2 * F * T).fill(1);
    const random = new CounterRandom(3);
    augmentation.applyBatch(batch, [2, F, T], [T, T], random);
    const alone = new Float32Array(T * F).fill(1);
    augmentation.apply(alone, T, random.derive(1));
    for (let t = 0; t < T; t++) {
      for (let f = 0; f < F; f++) expect(batch[(F + f) * T + t]).toBe(alone[t * F + f]);
    }
  });

  it('keeps time masks inside short items and bears masks wider than the item', () => {
    const augmentation = new SpectrogramAugmentation({
      time_masks: 3,
      time_width: 50,
      freq_masks: 1,
      freq_width: 200,
    });
    for (let s = 0; s < 50; s++) {
      augmentation.apply(new Float32Array(10 * F).fill(1), 10, new CounterRandom(s));
      const batch = new Float32Array(F * T).fill(1);
      new SpectrogramAugmentation({ time_masks: 3, time_width: 0.5 }).applyBatch(
        batch,
        [1, F, T],
        [20],
        new CounterRandom(s),
      );
      for (let t = 20; t < T; t++) expect(batch[t]).toBe(1);
    }
  });

  it('refuses impossible options', () => {
    expect(() => new SpectrogramAugmentation({ freq_masks: -1 })).toThrow(/freq_masks/);
    expect(() => new SpectrogramAugmentation({ time_width: 2.5 })).toThrow(/time_width/);
  });
});
