// Discrete Fourier transforms on preallocated float64 arrays; nothing is allocated per call. Powers of two
// are fast (radix 2, decimation in time); other sizes go through Bluestein's convolution, which costs about
// eight times as much. Float64 costs as much as float32 here and keeps quiet mel bins exact.

/** Complex transform of one size, in place over separate real and imaginary parts. */
export class ComplexFft {
  private readonly reversed: Uint32Array;
  /** Twiddles stage after stage, in the order the butterflies use them. */
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;

  /** @param size a power of two */
  constructor(readonly size: number) {
    if (size < 1 || (size & (size - 1)) !== 0) throw new RangeError(`FFT size ${size} is not a power of two`);
    const levels = Math.log2(size);
    this.reversed = new Uint32Array(size);
    for (let i = 0; i < size; i++) {
      this.reversed[i] = (this.reversed[i >> 1] >> 1) | (i & 1 ? 1 << (levels - 1) : 0);
    }
    this.cosines = new Float64Array(Math.max(1, size));
    this.sines = new Float64Array(Math.max(1, size));
    for (let half = 1; half < size; half *= 2) {
      for (let k = 0; k < half; k++) {
        this.cosines[half + k] = Math.cos((Math.PI * k) / half);
        this.sines[half + k] = -Math.sin((Math.PI * k) / half);
      }
    }
  }

  /** Transforms in place: the real parts [size] and imaginary parts [size] become those of the spectrum. */
  forward(re: Float64Array, im: Float64Array): void {
    const { size, reversed } = this;
    for (let i = 0; i < size; i++) {
      const j = reversed[i];
      if (j > i) {
        const a = re[i];
        re[i] = re[j];
        re[j] = a;
        const b = im[i];
        im[i] = im[j];
        im[j] = b;
      }
    }
    this.butterflies(re, im);
  }

  /** Inverse, scaled by 1/size: exchanging the parts before and after turns one into the other. */
  inverse(re: Float64Array, im: Float64Array): void {
    this.forward(im, re);
    for (let i = 0; i < this.size; i++) {
      re[i] /= this.size;
      im[i] /= this.size;
    }
  }

  /** Where element `i` belongs before `butterflies`; loading through it saves the exchange pass. */
  get order(): Uint32Array {
    return this.reversed;
  }

  /** The stages after the bit-reversal permutation. */
  butterflies(re: Float64Array, im: Float64Array): void {
    const { size, cosines, sines } = this;
    let half = 1;
    if (size >= 4) {
      // The first two stages need no multiplications.
      for (let i = 0; i < size; i += 4) {
        const r0 = re[i] + re[i + 1];
        const i0 = im[i] + im[i + 1];
        const r1 = re[i] - re[i + 1];
        const i1 = im[i] - im[i + 1];
        const r2 = re[i + 2] + re[i + 3];
        const i2 = im[i + 2] + im[i + 3];
        const r3 = re[i + 2] - re[i + 3];
        const i3 = im[i + 2] - im[i + 3];
        re[i] = r0 + r2;
        im[i] = i0 + i2;
        re[i + 2] = r0 - r2;
        im[i + 2] = i0 - i2;
        re[i + 1] = r1 + i3;
        im[i + 1] = i1 - r3;
        re[i + 3] = r1 - i3;
        im[i + 3] = i1 + r3;
      }
      half = 4;
    }
    for (; 4 * half <= size; half *= 4) this.twoStages(re, im, half);
    for (; half < size; half *= 2) {
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0, a = start, b = start + half; k < half; k++, a++, b++) {
          const c = cosines[half + k];
          const s = sines[half + k];
          const tr = re[b] * c - im[b] * s;
          const ti = re[b] * s + im[b] * c;
          re[b] = re[a] - tr;
          im[b] = im[a] - ti;
          re[a] += tr;
          im[a] += ti;
        }
      }
    }
  }

  /** The stages of `half` and `2 * half` at once: the same sums, with half the traffic to memory. */
  private twoStages(re: Float64Array, im: Float64Array, half: number): void {
    const { size, cosines, sines } = this;
    for (let start = 0; start < size; start += 4 * half) {
      for (let k = 0; k < half; k++) {
        const a = start + k;
        const b = a + half;
        const c = b + half;
        const d = c + half;
        const c1 = cosines[half + k];
        const s1 = sines[half + k];
        const br = re[b] * c1 - im[b] * s1;
        const bi = re[b] * s1 + im[b] * c1;
        const dr = re[d] * c1 - im[d] * s1;
        const di = re[d] * s1 + im[d] * c1;
        const r0 = re[a] + br;
        const i0 = im[a] + bi;
        const r1 = re[a] - br;
        const i1 = im[a] - bi;
        const r2 = re[c] + dr;
        const i2 = im[c] + di;
        const r3 = re[c] - dr;
        const i3 = im[c] - di;
        const c2 = cosines[2 * half + k];
        const s2 = sines[2 * half + k];
        const c3 = cosines[3 * half + k];
        const s3 = sines[3 * half + k];
        const cr = r2 * c2 - i2 * s2;
        const ci = r2 * s2 + i2 * c2;
        const er = r3 * c3 - i3 * s3;
        const ei = r3 * s3 + i3 * c3;
        re[a] = r0 + cr;
        im[a] = i0 + ci;
        re[c] = r0 - cr;
        im[c] = i0 - ci;
        re[b] = r1 + er;
        im[b] = i1 + ei;
        re[d] = r1 - er;
        im[d] = i1 - ei;
      }
    }
  }
}

/** Transform of real input: bins 0 to floor(size/2). */
export interface RealTransform {
  readonly size: number;
  readonly bins: number;
  /** Squared magnitudes of `size` real samples read from `input` at `offset`, times `window`. */
  power(input: Float64Array, offset: number, window: Float64Array, out: Float64Array): void;
}

/** A transform for any size of at least 2. */
export function realTransform(size: number): RealTransform {
  return size >= 4 && (size & (size - 1)) === 0 ? new EvenReal(size) : new BluesteinReal(size);
}

/** Real input packed as half as many complex numbers. */
class EvenReal implements RealTransform {
  readonly bins: number;
  private readonly fft: ComplexFft;
  private readonly re: Float64Array;
  private readonly im: Float64Array;
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;

  constructor(readonly size: number) {
    const half = size / 2;
    this.bins = half + 1;
    this.fft = new ComplexFft(half);
    this.re = new Float64Array(half);
    this.im = new Float64Array(half);
    this.cosines = Float64Array.from({ length: half }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sines = Float64Array.from({ length: half }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  }

  power(input: Float64Array, offset: number, window: Float64Array, out: Float64Array): void {
    const { re, im, cosines, sines } = this;
    const half = this.size / 2;
    const order = this.fft.order;
    for (let i = 0, p = offset; i < half; i++, p += 2) {
      const j = order[i];
      re[j] = input[p] * window[2 * i];
      im[j] = input[p + 1] * window[2 * i + 1];
    }
    this.fft.butterflies(re, im);
    const first = re[0] + im[0];
    const last = re[0] - im[0];
    out[0] = first * first;
    out[half] = last * last;
    // Split the transform of the packed signal into those of its even and odd samples, then join them.
    for (let k = 1, m = half - 1; k <= m; k++, m--) {
      const evenRe = (re[k] + re[m]) / 2;
      const evenIm = (im[k] - im[m]) / 2;
      const oddRe = (im[k] + im[m]) / 2;
      const oddIm = (re[m] - re[k]) / 2;
      const c = cosines[k];
      const s = sines[k];
      const tr = oddRe * c - oddIm * s;
      const ti = oddRe * s + oddIm * c;
      const upRe = evenRe + tr;
      const upIm = evenIm + ti;
      const downRe = evenRe - tr;
      const downIm = ti - evenIm;
      out[k] = upRe * upRe + upIm * upIm;
      out[m] = downRe * downRe + downIm * downIm;
    }
  }
}

/** Any size: the transform as a convolution with a chirp, done by a power-of-two transform. */
class BluesteinReal implements RealTransform {
  readonly bins: number;
  private readonly fft: ComplexFft;
  private readonly chirpRe: Float64Array;
  private readonly chirpIm: Float64Array;
  private readonly kernelRe: Float64Array;
  private readonly kernelIm: Float64Array;
  private readonly re: Float64Array;
  private readonly im: Float64Array;

  constructor(readonly size: number) {
    this.bins = Math.floor(size / 2) + 1;
    const length = 2 ** Math.ceil(Math.log2(2 * size - 1));
    this.fft = new ComplexFft(length);
    this.re = new Float64Array(length);
    this.im = new Float64Array(length);
    this.kernelRe = new Float64Array(length);
    this.kernelIm = new Float64Array(length);
    this.chirpRe = new Float64Array(size);
    this.chirpIm = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      const angle = (Math.PI * ((i * i) % (2 * size))) / size;
      this.chirpRe[i] = Math.cos(angle);
      this.chirpIm[i] = -Math.sin(angle);
      const mirrored = (length - i) % length;
      this.kernelRe[i] = this.kernelRe[mirrored] = Math.cos(angle);
      this.kernelIm[i] = this.kernelIm[mirrored] = Math.sin(angle);
    }
    this.fft.forward(this.kernelRe, this.kernelIm);
  }

  power(input: Float64Array, offset: number, window: Float64Array, out: Float64Array): void {
    const { re, im, size, kernelRe, kernelIm } = this;
    re.fill(0);
    im.fill(0);
    for (let i = 0; i < size; i++) {
      const x = input[offset + i] * window[i];
      re[i] = x * this.chirpRe[i];
      im[i] = x * this.chirpIm[i];
    }
    this.fft.forward(re, im);
    for (let i = 0; i < re.length; i++) {
      const r = re[i] * kernelRe[i] - im[i] * kernelIm[i];
      im[i] = re[i] * kernelIm[i] + im[i] * kernelRe[i];
      re[i] = r;
    }
    this.fft.inverse(re, im);
    // The closing chirp has modulus one and does not change the power.
    for (let k = 0; k < this.bins; k++) out[k] = re[k] * re[k] + im[k] * im[k];
  }
}
