// How the keys of a front end cut a waveform into frames; the same in all of NeMo's preprocessors.
import { AnemoneError } from '../../errors/index.js';

/** The keys, in Hz, seconds and samples; null where the other unit says it. */
export interface FrameKeys {
  readonly sample_rate: number;
  readonly window_size: number | null;
  readonly window_stride: number | null;
  readonly n_window_size: number | null;
  readonly n_window_stride: number | null;
  readonly n_fft: number | null;
}

/** All in samples. */
export interface FrameSizes {
  readonly windowLength: number;
  readonly hop: number;
  readonly fftSize: number;
}

/**
 * @param givenKeys the keys as the user wrote them; @param keys the same with the defaults
 * @throws AnemoneError `audio.features-config`
 */
export function frameSizes(givenKeys: Partial<FrameKeys>, keys: FrameKeys): FrameSizes {
  for (const [seconds, samples] of [
    ['window_size', 'n_window_size'],
    ['window_stride', 'n_window_stride'],
  ] as const) {
    if (givenKeys[seconds] != null && givenKeys[samples] != null)
      fail(samples, `excludes ${seconds}; give one`);
  }
  const { sample_rate: rate } = keys;
  if (!(rate > 0)) fail('sample_rate', `must be positive, is ${rate}`);
  const windowLength = keys.n_window_size ?? Math.trunc((keys.window_size ?? Number.NaN) * rate);
  const hop = keys.n_window_stride ?? Math.trunc((keys.window_stride ?? Number.NaN) * rate);
  if (!(windowLength > 0)) fail('window_size', 'must give a window of at least one sample');
  if (!(hop > 0)) fail('window_stride', 'must give a stride of at least one sample');
  const fftSize = keys.n_fft ?? 2 ** Math.ceil(Math.log2(windowLength));
  if (!Number.isInteger(fftSize) || fftSize < windowLength) {
    fail('n_fft', `${fftSize} is smaller than the window of ${windowLength} samples`);
  }
  return { windowLength, hop, fftSize };
}

/** @param path the offending key */
export function fail(path: string, message: string, hint?: string): never {
  throw new AnemoneError({ code: 'audio.features-config', path, message, hint });
}
