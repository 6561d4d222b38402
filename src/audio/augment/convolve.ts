// Fast convolution of a long signal with an impulse response: overlap-add, two blocks a transform.
import { ComplexFft } from '../features/index.js';

/** The full convolution, x.length + h.length - 1 samples. */
export function convolve(x: Float32Array, h: Float32Array): Float32Array {
  if (x.length === 0 || h.length === 0) return new Float32Array(0);
  const size = cheapestSize(x.length, h.length);
  const block = size - h.length + 1;
  const fft = transformOf(size);
  const hRe = new Float64Array(size);
  const hIm = new Float64Array(size);
  hRe.set(h);
  fft.forward(hRe, hIm);
  const out = new Float32Array(x.length + h.length - 1);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (let at = 0; at < x.length; at += 2 * block) {
    re.fill(0);
    im.fill(0);
    // The response is real, so one block may ride in the imaginary part of the other.
    re.set(x.subarray(at, Math.min(x.length, at + block)));
    im.set(x.subarray(Math.min(x.length, at + block), Math.min(x.length, at + 2 * block)));
    fft.forward(re, im);
    for (let k = 0; k < size; k++) {
      const r = re[k] * hRe[k] - im[k] * hIm[k];
      im[k] = re[k] * hIm[k] + im[k] * hRe[k];
      re[k] = r;
    }
    fft.inverse(re, im);
    const first = Math.min(size, out.length - at);
    for (let i = 0; i < first; i++) out[at + i] += re[i];
    const second = Math.min(size, out.length - at - block);
    for (let i = 0; i < second; i++) out[at + block + i] += im[i];
  }
  return out;
}

/** The transform size with the fewest operations: large ones waste the last block, small ones overlap much. */
function cheapestSize(signal: number, response: number): number {
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let size = 1024; size < 4 * (signal + response); size *= 2) {
    if (size <= response) continue;
    const pairs = Math.ceil(signal / (2 * (size - response + 1)));
    const cost = (2 * pairs + 1) * size * Math.log2(size);
    if (cost < bestCost) [best, bestCost] = [size, cost];
  }
  return best || 1024;
}

// Twiddle factors are a pure function of the size and cost as much as a transform.
const transforms = new Map<number, ComplexFft>();

function transformOf(size: number): ComplexFft {
  let fft = transforms.get(size);
  if (!fft) {
    fft = new ComplexFft(size);
    transforms.set(size, fft);
  }
  return fft;
}

/**
 * The signal as heard through the response: the direct sound (the response's peak) stays where it was, the
 * length and the loudness (root mean square) stay what they were.
 */
export function reverberate(x: Float32Array, response: Float32Array): Float32Array {
  let peak = 0;
  for (let i = 1; i < response.length; i++) if (Math.abs(response[i]) > Math.abs(response[peak])) peak = i;
  const wet = convolve(x, response).subarray(peak, peak + x.length);
  let before = 0;
  let after = 0;
  for (let i = 0; i < x.length; i++) {
    before += x[i] * x[i];
    after += wet[i] * wet[i];
  }
  const gain = after > 0 ? Math.sqrt(before / after) : 1;
  const out = new Float32Array(x.length);
  for (let i = 0; i < out.length; i++) out[i] = wet[i] * gain;
  return out;
}
