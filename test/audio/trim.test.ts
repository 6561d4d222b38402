import { describe, expect, it } from 'vitest';
import { trimSilence } from '../../src/audio/index.js';

describe('trimSilence', () => {
  const x = new Float32Array(16000);
  for (let i = 6000; i < 9000; i++) x[i] = 0.5 * Math.sin(i);
  for (let i = 0; i < 16000; i++) x[i] += 1e-5 * Math.sin(i * 1.7);

  it('cuts where frames of librosa are quieter than the threshold', () => {
    // Frames of 2048 centred at multiples of 512: the first to touch sample 6000 is 10, the last to touch
    // sample 8999 is 19.
    const trimmed = trimSilence(x);
    expect(trimmed.byteOffset / 4).toBe(10 * 512);
    expect(trimmed.length).toBe(20 * 512 - 10 * 512);
  });

  it('keeps everything when nothing is quiet, and copes with silence and nothing', () => {
    expect(trimSilence(x, 300).length).toBe(16000);
    expect(trimSilence(new Float32Array(5000)).length).toBe(5000);
    expect(trimSilence(new Float32Array(0)).length).toBe(0);
  });
});
