// Features of audio in pieces are those of the whole.
import { describe, expect, it } from 'vitest';
import { FeatureStream } from '../../../src/asr/index.js';
import { type MelConfig, MelFrontEnd, type MfccConfig, MfccFrontEnd } from '../../../src/audio/index.js';
import { maxDifference } from '../../nn/support.js';
import { toneSpeech } from '../support.js';

const base: Partial<MelConfig> = {
  sample_rate: 8000,
  window_size: 0.025,
  features: 12,
  normalize: 'NA',
  n_fft: 256,
};

describe('FeatureStream', () => {
  const variants: Partial<MelConfig>[] = [
    {},
    { nemo_compat: '1.x' },
    { exact_pad: true },
    { nemo_compat: '1.x', exact_pad: true, preemph: null },
    { normalize: { fixed_mean: Array(12).fill(-3), fixed_std: Array(12).fill(2) } },
  ];
  it.each(variants)('gives the frames of the whole: %o', (changes) => {
    const frontEnd = new MelFrontEnd({ ...base, ...changes });
    const samples = toneSpeech('abc a', 3).subarray(0, 11_111);
    const whole = frontEnd.compute(samples);
    for (const sizes of [[1, 79, 800, 3], [160], [20_000]]) {
      const stream = new FeatureStream(frontEnd);
      const found: number[] = [];
      for (let at = 0, n = 0; at < samples.length; n++) {
        const size = sizes[n % sizes.length];
        found.push(...stream.push(samples.subarray(at, at + size)));
        at += size;
        // A frame is there once the half of its transform after its centre is.
        const expected = Math.floor((Math.min(at, samples.length) - 128 - 1) / 80) + 1;
        if (!changes.exact_pad) expect(found.length / 12).toBe(Math.max(0, expected));
      }
      found.push(...stream.finish());
      expect(found.length / 12).toBe(whole.frames);
      expect(maxDifference(Float32Array.from(found), whole.features)).toBe(0);
    }
  });

  it('gives the MFCCs of the whole', () => {
    const keys: Partial<MfccConfig> = { sample_rate: 8000, window_size: 0.025, n_fft: 256, n_mels: 16 };
    const frontEnd = new MfccFrontEnd({ ...keys, n_mfcc: 12 });
    for (const length of [11_111, 8000]) {
      const samples = toneSpeech('abc a', 3).subarray(0, length);
      const whole = frontEnd.compute(samples);
      const stream = new FeatureStream(frontEnd);
      const found: number[] = [];
      for (let at = 0; at < length; at += 300) found.push(...stream.push(samples.subarray(at, at + 300)));
      found.push(...stream.finish());
      expect(found.length / 12).toBe(whole.frames);
      expect(maxDifference(Float32Array.from(found), whole.features)).toBe(0);
    }
    expect(() => new FeatureStream(new MfccFrontEnd({ ...keys, n_mfcc: 12, log: false }))).toThrow(
      /preprocessor\.log: .*loudest of the whole utterance/,
    );
  });

  it('has nothing of nothing', () => {
    const stream = new FeatureStream(new MelFrontEnd(base));
    expect(stream.push(new Float32Array(0))).toHaveLength(0);
    expect(stream.finish()).toHaveLength(0);
  });

  it('is refused where features depend on the whole', () => {
    expect(() => new FeatureStream(new MelFrontEnd({ ...base, normalize: 'per_feature' }))).toThrow(
      expect.objectContaining({ code: 'streaming.normalize' }),
    );
  });
});
