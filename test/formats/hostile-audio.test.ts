// Recordings whose headers lie: memory and time stay in proportion to the file, and what is no audio is said.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audioInfo, decodeAudio, resample } from '../../src/audio/index.js';
import { encodeWav, memorySource, openFlac, readWavInfo } from '../../src/formats/index.js';
import { codeOf } from './codes.js';

const flac = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/audio/s16.flac')));

function changed(bytes: Uint8Array, at: number, values: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

describe('wav', () => {
  const float = (...samples: number[]) =>
    encodeWav([Float32Array.from(samples)], { sampleRate: 16000, encoding: 'float' });
  const rate = (hertz: number) => {
    const wav = encodeWav([new Float32Array(100)], { sampleRate: 16000 });
    new DataView(wav.buffer).setUint32(24, hertz, true);
    return wav;
  };

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -3e38])('says which sample is %s', async (value) => {
    const reading = decodeAudio(float(0, 0.5, value, 0));
    await expect(reading).rejects.toThrow(/sample 2 is/);
    expect(await codeOf(decodeAudio(float(0, 0.5, value, 0)))).toBe('audio.corrupt');
  });

  it('takes float samples beyond full scale, as some programs write them', async () => {
    expect([...(await decodeAudio(float(0, 32767, -32768))).samples]).toEqual([0, 32767, -32768]);
  });

  it.each([1, 99, 4294967295])('refuses %i Hz', async (hertz) => {
    expect(await codeOf(decodeAudio(rate(hertz), { targetSampleRate: 16000 }))).toBe('audio.corrupt');
  });

  it('does not walk through millions of empty chunks', async () => {
    const bytes = new Uint8Array(1 << 20);
    bytes.set(Buffer.from('RIFF\0\0\0\0WAVE'));
    let reads = 0;
    const source = memorySource(bytes);
    const read = (at: number, length: number) => {
      reads++;
      return source.read(at, length);
    };
    expect(await codeOf(readWavInfo({ ...source, read }))).toBe('audio.corrupt');
    expect(reads).toBeLessThan(20_000);
  });
});

describe('flac', () => {
  /** Where rate, depth and number of samples stand: after marker and header of the first block. */
  const info = 4 + 4 + 10;

  it('takes no memory for samples that are only promised', async () => {
    const promised = changed(flac, info + 3, [(flac[info + 3] & 0xf0) | 15, 255, 255, 255, 255]);
    const long = new Uint8Array(Buffer.concat([promised, new Uint8Array(4 << 20)]));
    expect(await codeOf(decodeAudio(long))).toBe('audio.corrupt');
  });

  it('refuses 1 Hz', async () => {
    const slow = changed(flac, info, [0, 0, (flac[info + 2] & 15) | 0x10]);
    expect(await codeOf(decodeAudio(slow, { targetSampleRate: 16000 }))).toBe('audio.corrupt');
  });

  it('is found behind a tag with a picture, however it is read', async () => {
    const size = 100_000;
    const tag = new Uint8Array(10 + size);
    tag.set([
      0x49,
      0x44,
      0x33,
      3,
      0,
      0,
      (size >> 21) & 127,
      (size >> 14) & 127,
      (size >> 7) & 127,
      size & 127,
    ]);
    const tagged = new Uint8Array(Buffer.concat([tag, flac]));
    const plain = await decodeAudio(flac);
    expect((await decodeAudio(tagged)).samples.length).toBe(plain.samples.length);
    expect((await audioInfo(tagged)).frames).toBe(plain.samples.length);
    expect((await openFlac(memorySource(tagged))).frames).toBe(plain.samples.length);
  });
});

describe('resampling', () => {
  it('refuses what would become gigabytes', async () => {
    const code = await codeOf(
      Promise.resolve().then(() => resample(new Float32Array(1 << 20), 100, 200_000)),
    );
    expect(code).toBe('audio.too-long');
  });
});
