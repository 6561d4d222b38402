// Fixtures were written by sox and ffmpeg from the signal below.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { audioInfo, decodeAudio } from '../../src/audio/index.js';
import { encodeWav, readFlacInfo } from '../../src/formats/index.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/audio/${name}`, import.meta.url));
const bytesOf = (name: string) => new Uint8Array(readFileSync(fixture(name)));
const directory = mkdtempSync(join(tmpdir(), 'anemone-audio-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function signal(n: number, channel: number, rate: number): number {
  return (
    0.5 * Math.sin((2 * Math.PI * (440 + 300 * channel) * n) / rate) +
    0.25 * Math.sin((2 * Math.PI * 97 * n) / rate + channel)
  );
}

function worst(samples: Float32Array, channel: number, rate: number, from = 0): number {
  return samples.reduce((max, x, i) => Math.max(max, Math.abs(x - signal(from + i, channel, rate))), 0);
}

describe('decodeAudio', () => {
  it.each([
    ['u8.wav', 1 / 128],
    ['s16.wav', 1 / 32768],
    ['s32.wav', 1e-7],
    ['f32.wav', 1e-7],
    ['f64.wav', 1e-7],
    ['mulaw.wav', 0.02],
    ['alaw.wav', 0.02],
  ])('%s', async (name, tolerance) => {
    const audio = await decodeAudio(fixture(name));
    expect(audio).toMatchObject({
      sampleRate: 8000,
      channels: 1,
      format: 'wav',
      duration: 0.05,
      warnings: [],
    });
    expect(worst(audio.samples, 0, 8000)).toBeLessThanOrEqual(tolerance);
  });

  it.each([
    ['s24-stereo.wav', 8000, 400],
    ['s24-stereo.flac', 44100, 600],
  ])('%s: channels are selected or averaged', async (name, rate, frames) => {
    for (const channel of [0, 1]) {
      const audio = await decodeAudio(fixture(name), { channelSelector: channel });
      expect(audio.samples.length).toBe(frames);
      expect(worst(audio.samples, channel, rate)).toBeLessThan(2e-7);
    }
    const mean = await decodeAudio(fixture(name));
    expect(mean.samples[100]).toBeCloseTo((signal(100, 0, rate) + signal(100, 1, rate)) / 2, 6);
    await expect(decodeAudio(fixture(name), { channelSelector: 2 })).rejects.toMatchObject({
      code: 'audio.channel',
    });
  });

  it('averages the listed channels of three', async () => {
    const audio = await decodeAudio(fixture('s16-three.wav'), { channelSelector: [0, 2] });
    expect(audio.samples[50]).toBeCloseTo((signal(50, 0, 8000) + signal(50, 2, 8000)) / 2, 4);
  });

  it('gives 16-bit FLAC values exactly', async () => {
    const { samples } = await decodeAudio(fixture('s16.flac'));
    expect(samples.length).toBe(2000);
    expect(samples.every((x) => Number.isInteger(x * 32768))).toBe(true);
    expect(worst(samples, 0, 16000)).toBeLessThanOrEqual(1 / 32768);
  });

  it.each([
    ['mono16k.mp3', 16000, 1, 3200],
    ['stereo44k.mp3', 44100, 2, 6000],
  ])('%s: right length, no delay, close to the original', async (name, rate, channels, frames) => {
    const audio = await decodeAudio(fixture(name), { channelSelector: 0 });
    expect(audio).toMatchObject({ originalSampleRate: rate, channels, format: 'mp3', warnings: [] });
    expect(audio.samples.length).toBe(frames);
    expect(worst(audio.samples.subarray(500, frames - 500), 0, rate, 500)).toBeLessThan(0.05);
  });

  it.each(['s16.wav', 's16.flac', 'mono16k.mp3'])('%s: offset and duration', async (name) => {
    const whole = await decodeAudio(fixture(name));
    const part = await decodeAudio(fixture(name), { offset: 0.0125, duration: 0.02 });
    const start = Math.round(0.0125 * whole.sampleRate);
    expect(part.samples).toEqual(whole.samples.subarray(start, start + Math.round(0.02 * whole.sampleRate)));
    const rest = await decodeAudio(fixture(name), { offset: 0.03, duration: 9 });
    expect(rest.samples).toEqual(whole.samples.subarray(Math.round(0.03 * whole.sampleRate)));
    expect(rest.warnings.map((w) => w.code)).toEqual(['audio.short-segment']);
    await expect(decodeAudio(fixture(name), { offset: 5 })).rejects.toMatchObject({ code: 'audio.range' });
    await expect(decodeAudio(fixture(name), { duration: 0 })).rejects.toMatchObject({ code: 'audio.range' });
  });

  it('resamples to the asked rate', async () => {
    const audio = await decodeAudio(fixture('f32.wav'), { targetSampleRate: 16000 });
    expect(audio).toMatchObject({ sampleRate: 16000, originalSampleRate: 8000, duration: 0.05 });
    expect(worst(audio.samples.subarray(200, 600), 0, 16000, 200)).toBeLessThan(1e-3);
  });

  it('goes by content, not by name', async () => {
    const path = join(directory, 'really-flac.wav');
    copyFileSync(fixture('s16.flac'), path);
    const audio = await decodeAudio(path);
    expect(audio.format).toBe('flac');
    expect(audio.warnings).toEqual([{ code: 'audio.mislabelled', message: 'named .wav but holds FLAC' }]);
  });
});

describe('WAV oddities', () => {
  const plain = encodeWav([Float32Array.of(0.5, -0.5, 0.25)], { sampleRate: 8000 });
  const withSize = (size: number) => {
    const bytes = plain.slice();
    new DataView(bytes.buffer).setUint32(40, size, true);
    return bytes;
  };

  it.each([0, 0xffffffff, 0x7ffff000])('reads to the end when the size is %i', async (size) => {
    const { samples } = await decodeAudio(withSize(size));
    expect([...samples]).toEqual([0.5, -0.5, 0.25]);
  });

  it('skips unknown chunks of odd length', async () => {
    const extra = Uint8Array.from([...Buffer.from('LIST'), 3, 0, 0, 0, 1, 2, 3, 0]);
    const bytes = Uint8Array.from([...plain.subarray(0, 12), ...extra, ...plain.subarray(12)]);
    expect((await decodeAudio(bytes)).samples.length).toBe(3);
  });

  it('reads RF64 with its 64-bit size', async () => {
    const ds64 = new Uint8Array(36);
    ds64.set(Buffer.from('ds64'));
    new DataView(ds64.buffer).setUint32(4, 28, true);
    new DataView(ds64.buffer).setBigUint64(16, 6n, true);
    const body = withSize(0xffffffff);
    const bytes = Uint8Array.from([
      ...Buffer.from('RF64'),
      ...body.subarray(4, 12),
      ...ds64,
      ...body.subarray(12),
      9,
      9,
    ]);
    expect((await decodeAudio(bytes)).samples.length).toBe(3);
  });

  it('keeps what a truncated file has only when told to', async () => {
    const cut = bytesOf('s16.wav').subarray(0, 444);
    await expect(decodeAudio(cut)).rejects.toMatchObject({ code: 'audio.truncated' });
    const kept = await decodeAudio(cut, { allowTruncated: true });
    expect(kept.samples.length).toBe(200);
    expect(kept.warnings[0].code).toBe('audio.truncated');
    // A segment that is wholly there is no matter of complaint.
    expect((await decodeAudio(cut, { duration: 0.02 })).samples.length).toBe(160);
    expect((await audioInfo(cut)).warnings[0].code).toBe('audio.truncated');
  });

  it.each([
    ['int', 8],
    ['int', 16],
    ['int', 24],
    ['int', 32],
    ['float', 32],
    ['float', 64],
  ] as const)('writes %s %i so that it reads back', async (encoding, bits) => {
    const x = Float32Array.of(0, 0.5, -1, 0.999, -0.25, 2);
    const { samples } = await decodeAudio(encodeWav([x], { sampleRate: 16000, encoding, bits }));
    const step = encoding === 'float' ? 0 : 1.01 / 2 ** (bits - 1);
    samples.forEach((s, i) => {
      expect(Math.abs(s - (encoding === 'int' ? Math.min(1, x[i]) : x[i]))).toBeLessThanOrEqual(step);
    });
  });
});

describe('bad files are named, never a crash or a hang', () => {
  const noise = Uint8Array.from({ length: 30000 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 255);
  const flac = bytesOf('s16.flac');
  const mp3 = bytesOf('mono16k.mp3');
  const damagedFlac = flac.slice();
  damagedFlac[damagedFlac.length - 40] ^= 0x10;

  it.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(0), 'audio.empty'],
    ['noise', noise, 'audio.unknown-format'],
    ['zeros', new Uint8Array(5000), 'audio.unknown-format'],
    ['text', Buffer.from('hello there'), 'audio.unknown-format'],
    ['ogg', Buffer.from('OggS and so on'), 'audio.unknown-format'],
    ['half a RIFF header', Buffer.from('RIFF\x10'), 'audio.truncated'],
    ['RIFF header alone', Buffer.from('RIFF\x10\0\0\0WAVE'), 'audio.corrupt'],
    ['WAV without data', bytesOf('s16.wav').subarray(0, 36), 'audio.corrupt'],
    ['WAV of no samples', encodeWav([new Float32Array(0)], { sampleRate: 8000 }), 'audio.empty'],
    ['FLAC marker alone', flac.subarray(0, 4), 'audio.corrupt'],
    ['FLAC without frames', flac.subarray(0, 60), 'audio.truncated'],
    ['FLAC cut in mid-frame', flac.subarray(0, flac.length - 100), 'audio.truncated'],
    ['FLAC with a flipped bit', damagedFlac, 'audio.'],
    [
      'FLAC header, then noise',
      Uint8Array.from([...flac.subarray(0, readFlacInfo(flac).audioOffset), ...noise]),
      'audio.corrupt',
    ],
    ['MP3 tag, then noise', Uint8Array.from([...Buffer.from('ID3\x04\0\0\0\0\0\0'), ...noise]), 'audio.'],
  ])('%s', async (_, bytes, code) => {
    const path = join(directory, 'bad');
    writeFileSync(path, bytes);
    const error = await decodeAudio(path).then(
      () => undefined,
      (e: { code: string; message: string }) => e,
    );
    expect(error?.code.startsWith(code)).toBe(true);
    expect(error?.message).toContain(path);
  });

  it('noise inside an MP3 stream ends in audio or an error', async () => {
    const mixed = Uint8Array.from([...mp3.subarray(0, 400), ...noise, ...mp3.subarray(400)]);
    const result = await decodeAudio(mixed).catch((e: { code: string }) => e.code);
    if (typeof result === 'string') expect(result).toBe('audio.corrupt');
    else expect(result.warnings.map((w) => w.code)).toContain('audio.damaged');
  });

  it('an MP3 with every byte of its frames scrambled does not hang', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const bytes = mp3.slice();
      for (let i = 200; i < bytes.length; i++) {
        if ((Math.imul(i * 31 + seed, 2654435761) >>> 20) % 5 === 0) bytes[i] ^= 1 + ((i * seed) & 127);
      }
      await decodeAudio(bytes).catch((e: { code: string }) => expect(e.code).toMatch(/^audio\./));
    }
  });

  it('missing files, directories and encodings nobody knows', async () => {
    await expect(decodeAudio(join(directory, 'none.wav'))).rejects.toMatchObject({ code: 'audio.missing' });
    await expect(decodeAudio(directory)).rejects.toMatchObject({ code: 'audio.unreadable' });
    const adpcm = bytesOf('s16.wav');
    adpcm[20] = 0x11;
    await expect(decodeAudio(adpcm)).rejects.toMatchObject({ code: 'audio.unknown-format' });
  });
});

describe('audioInfo', () => {
  it.each([
    ['s24-stereo.wav', { format: 'wav', sampleRate: 8000, channels: 2, frames: 400, duration: 0.05 }],
    ['s16.flac', { format: 'flac', sampleRate: 16000, channels: 1, frames: 2000, duration: 0.125 }],
    ['stereo44k.mp3', { format: 'mp3', sampleRate: 44100, channels: 2 }],
  ])('%s', async (name, expected) => {
    expect(await audioInfo(fixture(name))).toMatchObject(expected);
  });
});
