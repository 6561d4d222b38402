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

  /** 4 MiB of which the last are no frames, and whose stream info tells `frames` samples. */
  function promising(frames: number): Uint8Array {
    const [high, low] = [Math.floor(frames / 2 ** 32), frames % 2 ** 32];
    const bytes = [24, 16, 8, 0].map((shift) => (low >>> shift) & 255);
    const promised = changed(flac, info + 3, [(flac[info + 3] & 0xf0) | high, ...bytes]);
    return new Uint8Array(Buffer.concat([promised, new Uint8Array(4 << 20)]));
  }

  it('takes no memory for samples that are only promised', async () => {
    // More than 4 MiB can hold: the header lies, and what is wrong with the file shows in its frames.
    expect(await codeOf(decodeAudio(promising(2 ** 36 - 1)))).toBe('audio.corrupt');
  });

  it('is refused by its header where it could hold what is too long, undecoded', async () => {
    // Decoding would meet the bytes that are no frame.
    const long = promising(16_000 * 7201);
    expect(await codeOf(decodeAudio(long))).toBe('audio.too-long');
    expect(await codeOf(decodeAudio(long, { offset: 2 }))).toBe('audio.corrupt');
    expect(await codeOf(decodeAudio(long, { offset: 0.5 }))).toBe('audio.too-long');
    expect(await codeOf(decodeAudio(promising(16_000 * 7200)))).toBe('audio.corrupt');
    expect((await decodeAudio(long, { duration: 0.1 })).duration).toBe(0.1);
  });

  it('is heard where it was cut short and what is left is wanted, whatever was promised', async () => {
    const cut = promising(5000).slice(0, flac.length);
    expect(await codeOf(decodeAudio(cut))).toBe('audio.truncated');
    expect(await codeOf(decodeAudio(cut, { maxSeconds: 0.2 }))).toBe('audio.too-long');
    const { samples } = await decodeAudio(cut, { maxSeconds: 0.2, allowTruncated: true });
    expect(samples).toEqual((await decodeAudio(flac)).samples);
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

describe('mp3', () => {
  const mp3 = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/audio/mono16k.mp3')));
  const promise = Buffer.from(mp3).indexOf('Info') + 8;

  it.each([0, 932_067, 932_068, 2 ** 31 - 1, 2 ** 32 - 1])(
    'has the samples that decoding gives, where its header tells %i frames',
    async (frames) => {
      const lying = mp3.slice();
      new DataView(lying.buffer).setUint32(promise, frames);
      expect((await audioInfo(lying)).frames).toBe((await decodeAudio(lying)).samples.length);
    },
  );
});

describe('resampling', () => {
  it('refuses what would become gigabytes', async () => {
    const code = await codeOf(
      Promise.resolve().then(() => resample(new Float32Array(1 << 20), 100, 200_000)),
    );
    expect(code).toBe('audio.too-long');
  });
});

describe('audio of days', () => {
  /** A FLAC of constant frames, each 65,535 samples in some 12 bytes. */
  function silence(count: number): Uint8Array {
    const frame = constantFrame(0);
    const header = flac.slice(0, 42);
    header[4] |= 0x80;
    // The number of samples is not told, as of a stream from a pipe.
    header[info + 3] &= 0xf0;
    header.fill(0, info + 4, info + 8);
    return new Uint8Array(Buffer.concat([header, ...Array.from({ length: count }, () => frame)]));
  }
  const info = 4 + 4 + 10;

  function constantFrame(value: number): Uint8Array {
    // Fixed block size 65,536 of 16 bits, 1 channel, rate and depth of the stream info; one constant subframe.
    const head = Uint8Array.of(0xff, 0xf8, 0x70, 0x00, 0x00, 0xff, 0xff);
    const body = Uint8Array.of(...head, crc(head, 8, 0x07), 0x00, value >> 8, value & 255);
    const check = crc(body, 16, 0x8005);
    return Uint8Array.of(...body, check >> 8, check & 255);
  }

  function crc(bytes: Uint8Array, bits: number, polynomial: number): number {
    let sum = 0;
    for (const byte of bytes) {
      sum ^= byte << (bits - 8);
      for (let i = 0; i < 8; i++) {
        const high = sum & (1 << (bits - 1));
        sum = (sum << 1) & ((1 << bits) - 1);
        if (high) sum ^= polynomial;
      }
    }
    return sum;
  }

  it('is refused at a stated bound of seconds, and read in segments', async () => {
    const bytes = silence(40);
    const whole = await decodeAudio(bytes);
    expect(whole.samples).toHaveLength(40 * 65_536);
    expect(await codeOf(decodeAudio(bytes, { maxSeconds: 60 }))).toBe('audio.too-long');
    const part = await decodeAudio(bytes, { maxSeconds: 60, offset: 100, duration: 60 });
    expect(part.duration).toBe(60);
  });

  it('is refused by the frames that an MP3 has', async () => {
    const mp3 = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/audio/mono16k.mp3')));
    const reading = (maxSeconds: number) => codeOf(decodeAudio(mp3, { maxSeconds }));
    expect([await reading(0.1999), await reading(0.2)]).toEqual(['audio.too-long', 'no error']);
  });

  it('is refused before it fills the memory', async () => {
    await expect(decodeAudio(silence(20_000))).rejects.toThrow(/more than 7200 s of audio at once.*--chunk/);
    const wav = encodeWav([new Float32Array(800_000)], { sampleRate: 16000 });
    new DataView(wav.buffer).setUint32(24, 100, true);
    expect(await codeOf(decodeAudio(wav, { targetSampleRate: 16000 }))).toBe('audio.too-long');
  });

  it('of many channels is bounded by all of them', async () => {
    const wav = encodeWav([new Float32Array(2 ** 20)], { sampleRate: 16000 });
    expect((await decodeAudio(wav)).samples).toHaveLength(2 ** 20);
    expect(await codeOf(decodeAudio(wav, { maxSeconds: 65 }))).toBe('audio.too-long');
  });
});

describe('resampling in pieces', () => {
  it.each([
    [16_000, 8_000],
    [44_100, 16_000],
    [8_000, 16_000],
    [48_000, 16_000],
    [100, 16_000],
  ])('gives the samples of the whole, from %i to %i Hz', (from, to) => {
    const length = Math.ceil((2_300_000 * from) / Math.max(from, to)) + 7;
    const samples = Float32Array.from({ length }, (_, i) => Math.sin(i * 0.37) + Math.cos(i * i * 1e-6));
    const whole = resample(samples, from, to);
    // A stretch so short that it is resampled at once, with all that the filter reaches around it.
    const [second, margin] = [from > 1000 ? Math.floor(2 ** 20 / Math.max(from, to)) : 60, 2];
    const stretch = resample(samples.slice((second - margin) * from, (second + margin) * from), from, to);
    expect(whole.slice(second * to, (second + 1) * to)).toEqual(
      stretch.slice(margin * to, (margin + 1) * to),
    );
    expect(whole).toHaveLength(Math.ceil((length * to) / from));
  });
});

describe('resampling from a rate that no recorder has', () => {
  it('takes no filter of gigabytes', () => {
    const before = process.memoryUsage().arrayBuffers;
    // 1,000 phases of some 120,000 taps each would be 960 MB.
    const samples = Float32Array.from({ length: 20_000 }, (_, i) => Math.sin(i * 1e-4));
    const out = resample(samples, 9_999_992, 8_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 27);
    expect(out).toHaveLength(Math.ceil((20_000 * 8000) / 9_999_992));
  });
});
