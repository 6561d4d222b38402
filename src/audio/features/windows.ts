// Analysis windows as PyTorch makes them: with periodic=False symmetric, both end points included; with its default, a
// whole period.

/** The windows that NeMo's `window` may name; `none` and `ones` are both rectangular. */
export const WINDOW_TYPES = ['hann', 'hamming', 'blackman', 'bartlett', 'none', 'ones'] as const;
/** One of {@link WINDOW_TYPES}. */
export type WindowType = (typeof WINDOW_TYPES)[number];

/** A window of `length` samples, rounded to float32. */
export function analysisWindow(type: WindowType, length: number): Float32Array {
  const window = new Float32Array(length);
  for (let n = 0; n < length; n++) {
    const x = length === 1 ? 0 : n / (length - 1);
    window[n] = length === 1 ? 1 : value(type, x);
  }
  return window;
}

/** A window of `length` samples that goes on as the next begins: a symmetric one without its last sample. */
export function periodicWindow(type: WindowType, length: number): Float32Array {
  return length === 1 ? analysisWindow(type, 1) : analysisWindow(type, length + 1).slice(0, length);
}

/** The window at `x` from 0 (first sample) to 1 (last). */
function value(type: WindowType, x: number): number {
  const cosine = Math.cos(2 * Math.PI * x);
  switch (type) {
    case 'hann':
      return 0.5 - 0.5 * cosine;
    case 'hamming':
      return 0.54 - 0.46 * cosine;
    case 'blackman':
      return 0.42 - 0.5 * cosine + 0.08 * Math.cos(4 * Math.PI * x);
    case 'bartlett':
      return 1 - Math.abs(2 * x - 1);
    default:
      return 1;
  }
}

/** The window in the middle of `size` samples, zeros around it. */
export function centredWindow(window: ArrayLike<number>, size: number): Float64Array {
  const out = new Float64Array(size);
  const leftPadding = Math.floor((size - window.length) / 2);
  for (let i = 0; i < window.length; i++) out[leftPadding + i] = window[i];
  return out;
}
