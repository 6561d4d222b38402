// Triangular mel filters on Slaney's scale (librosa's htk=False) or HTK's (torchaudio's default), computed in float64 and
// rounded to float32 as librosa returns them. Also their sparse form: each filter covers few bins.

/** Slaney's scale: linear below 1000 Hz, logarithmic above. */
export function hzToMel(hz: number): number {
  return hz < 1000 ? (hz * 3) / 200 : 15 + (Math.log(hz / 1000) * 27) / Math.log(6.4);
}

/** The frequency in Hz of a point on Slaney's mel scale: linear below 1000 Hz (15 mel), logarithmic above. */
export function melToHz(mel: number): number {
  return mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp(((mel - 15) * Math.log(6.4)) / 27);
}

/** HTK's scale: logarithmic throughout (O'Shaughnessy 1987). */
const htk = {
  toMel: (hz: number): number => 2595 * Math.log10(1 + hz / 700),
  toHz: (mel: number): number => 700 * (10 ** (mel / 2595) - 1),
};
const slaney = { toMel: hzToMel, toHz: melToHz };

export interface MelFilterbankOptions {
  /** Hz. */
  readonly sampleRate: number;
  readonly fftSize: number;
  /** Number of filters. */
  readonly filters: number;
  /** Hz. */
  readonly low: number;
  /** Hz. */
  readonly high: number;
  /** `slaney`: every triangle has the same area; null: every triangle peaks at 1. */
  readonly norm: 'slaney' | null;
  /** Default `slaney`. */
  readonly scale?: 'slaney' | 'htk';
}

/** Row-major [filters, fftSize/2 + 1]. */
export function melFilterbank(options: MelFilterbankOptions): Float32Array {
  const { sampleRate, fftSize, filters, low, high, norm } = options;
  const bins = Math.floor(fftSize / 2) + 1;
  const { toMel, toHz } = options.scale === 'htk' ? htk : slaney;
  const lowMel = toMel(low);
  const highMel = toMel(high);
  const points = Float64Array.from({ length: filters + 2 }, (_, i) =>
    toHz(lowMel + ((highMel - lowMel) * i) / (filters + 1)),
  );
  const bank = new Float32Array(filters * bins);
  for (let i = 0; i < filters; i++) {
    const [left, centre, right] = [points[i], points[i + 1], points[i + 2]];
    const gain = norm === 'slaney' ? 2 / (right - left) : 1;
    for (let k = 0; k < bins; k++) {
      const f = (k * sampleRate) / fftSize;
      const rising = (f - left) / (centre - left);
      const falling = (right - f) / (right - centre);
      bank[i * bins + k] = Math.max(0, Math.min(rising, falling)) * gain;
    }
  }
  return bank;
}

/** A bank with the zeros left out. */
export interface SparseFilterbank {
  readonly filters: number;
  readonly bins: number;
  /** First bin with weight, one a filter. */
  readonly first: Int32Array;
  /** Where a filter's weights begin in `weights`; one more entry closes the last. */
  readonly offsets: Int32Array;
  readonly weights: Float64Array;
}

export function sparseFilterbank(bank: Float32Array, filters: number, bins: number): SparseFilterbank {
  const first = new Int32Array(filters);
  const offsets = new Int32Array(filters + 1);
  const weights: number[] = [];
  for (let i = 0; i < filters; i++) {
    const row = bank.subarray(i * bins, (i + 1) * bins);
    const start = row.findIndex((w) => w !== 0);
    const end = row.findLastIndex((w) => w !== 0);
    first[i] = Math.max(0, start);
    if (start >= 0) for (let k = start; k <= end; k++) weights.push(row[k]);
    offsets[i + 1] = weights.length;
  }
  return { filters, bins, first, offsets, weights: Float64Array.from(weights) };
}
