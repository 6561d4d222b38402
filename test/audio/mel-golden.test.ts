// The front end against NeMo's own output (both generations of its source).
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MelFrontEnd } from '../../src/audio/index.js';

interface Golden {
  readonly per_feature: { features: { shape: number[]; data: number[] }; lengths: number[] };
  readonly NA: { features: { shape: number[]; data: number[] }; lengths: number[] };
  readonly window: { data: number[] };
  readonly fb_row_sums: { data: number[] };
  readonly fb_row0_row40: { data: number[] };
  readonly fb_nnz: number;
}

const N = 8000;
const x1 = Float32Array.from(
  { length: N },
  (_, n) =>
    0.5 * Math.sin((2 * Math.PI * 440 * n) / 16000) +
    0.25 * Math.sin((2 * Math.PI * 1234.5 * n) / 16000 + 0.3) +
    0.05 * Math.sin((0.9 * n * n) / 16000),
);
const x2 = Float32Array.from({ length: N }, (_, n) => (n < 5000 ? 0.7 * x1[N - 1 - n] : 0));

const config = { window_size: 0.025, window_stride: 0.01, n_fft: 512, features: 80, pad_to: 0 };

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let max = 0;
  for (let i = 0; i < a.length; i++) max = Math.max(max, Math.abs(a[i] - b[i]));
  return max;
}

describe.each([
  ['2.5', 'mel_main.json'],
  ['1.x', 'mel_v1.json'],
] as const)('NeMo %s', (nemo_compat, file) => {
  const golden = JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), 'utf8')) as Golden;

  it.each(['per_feature', 'NA'] as const)('features, normalize: %s', (normalize) => {
    const front = new MelFrontEnd({ ...config, normalize, nemo_compat });
    const { features, lengths, shape } = front.computeBatch([x1, x2], [8000, 5000]);
    expect(shape).toEqual(golden[normalize].features.shape);
    expect([...lengths]).toEqual(golden[normalize].lengths);
    expect(worst(features, golden[normalize].features.data)).toBeLessThan(2e-4);
  });

  it('tables', () => {
    const front = new MelFrontEnd({ ...config, nemo_compat });
    expect(worst(front.window, golden.window.data)).toBeLessThan(3e-7);
    const bins = 257;
    const rows = Array.from({ length: 80 }, (_, i) => front.filterbank.subarray(i * bins, (i + 1) * bins));
    expect(
      worst(
        rows.map((row) => row.reduce((a, b) => a + b, 0)),
        golden.fb_row_sums.data,
      ),
    ).toBeLessThan(1e-8);
    expect(worst([...rows[0], ...rows[40]], golden.fb_row0_row40.data)).toBeLessThan(1e-9);
    expect(front.filterbank.filter((w) => w !== 0).length).toBe(golden.fb_nnz);
  });
});
