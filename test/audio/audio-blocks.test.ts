// A recording in blocks is the recording.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MPEGDecoder } from 'mpg123-decoder';
import { afterAll, describe, expect, it } from 'vitest';
import { audioBlocks, decodeAudio, SampleQueue } from '../../src/audio/index.js';
import { decodeMp3, encodeWav, id3Length } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-blocks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function noise(count: number, seed: number): Float32Array {
  const random = new CounterRandom(seed);
  return Float32Array.from({ length: count }, (_, i) => Math.round(8000 * random.normal(i)) / 32768 / 2);
}

async function joined(
  path: string,
  options: object = {},
): Promise<{ samples: Float32Array; longest: number }> {
  const blocks: Float32Array[] = [];
  for await (const block of audioBlocks(path, options)) blocks.push(block);
  const samples = new Float32Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    samples.set(block, at);
    at += block.length;
  }
  return { samples, longest: Math.max(...blocks.map(({ length }) => length)) };
}

function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

describe('audioBlocks', () => {
  const wav = join(folder, 'long.wav');
  writeFileSync(wav, encodeWav([noise(181_234, 1), noise(181_234, 2)], { sampleRate: 8000 }));

  it.each([
    {},
    { targetSampleRate: 11_025 },
    { targetSampleRate: 4000, channelSelector: 1 },
    { offset: 1.3, duration: 15.03, targetSampleRate: 16_000 },
    { offset: 22 },
  ])('gives what decodeAudio gives: %o', async (options) => {
    const whole = (await decodeAudio(wav, options)).samples;
    const { samples, longest } = await joined(wav, options);
    expect(difference(samples, whole)).toBe(0);
    if (whole.length > 300_000) expect(longest).toBeLessThan(whole.length / 2);
  });

  it('tells of files that end early or before the segment', async () => {
    await expect(joined(wav, { offset: 30 })).rejects.toMatchObject({ code: 'audio.range' });
    const cut = join(folder, 'cut.wav');
    writeFileSync(cut, readFileSync(wav).subarray(0, 400_000));
    await expect(joined(cut)).rejects.toMatchObject({ code: 'audio.truncated' });
  });
});

describe('SampleQueue', () => {
  it('keeps what may be read, in bounded memory', () => {
    const queue = new SampleQueue();
    for (let i = 0; i < 1000; i++) {
      queue.push(Float32Array.of(i, i + 0.5));
      queue.forget(2 * i - 6);
      if (i > 5) expect([...queue.read(2 * i - 2, 2 * i + 1)]).toEqual([i - 1, i - 0.5, i]);
    }
    expect(queue.end).toBe(2000);
    expect(queue.room).toBeLessThan(64);
    expect(() => queue.read(0, 1)).toThrow(RangeError);
  });
});

describe('MP3', () => {
  // The recording's frames (36 ms each) over and over, after the one with the encoder's settings.
  const bytes = readFileSync(join(import.meta.dirname, '../fixtures/audio/mono16k.mp3'));
  const frames: Buffer[] = [];
  for (let at = id3Length(bytes); at + 144 <= bytes.length; ) {
    const next = bytes.indexOf(Buffer.from([0xff, bytes[at + 1]]), at + 4);
    frames.push(bytes.subarray(at, next < 0 ? bytes.length : next));
    at = next < 0 ? bytes.length : next;
  }
  const long = Buffer.concat([frames[0], ...Array.from({ length: 300 }, () => frames.slice(1)).flat()]);
  const path = join(folder, 'long.mp3');
  writeFileSync(path, long);

  it('comes in blocks, which are what the decoder makes of the whole file', async () => {
    const decoder = new MPEGDecoder();
    await decoder.ready;
    const [whole] = decoder.decode(long).channelData;
    decoder.free();
    expect(whole.length).toBeGreaterThan(60 * 16_000);
    const { samples, longest } = await joined(path);
    expect(difference(samples, whole)).toBe(0);
    expect(longest).toBeLessThan(20 * 16_000);
    expect(difference((await decodeAudio(path)).samples, whole)).toBe(0);
    const part = { offset: 40.5, duration: 3.25 };
    const wanted = whole.subarray(40.5 * 16_000, 43.75 * 16_000);
    expect(difference((await joined(path, part)).samples, wanted)).toBe(0);
    expect(difference((await decodeAudio(path, part)).samples, wanted)).toBe(0);
  });

  it('is not decoded further than asked', async () => {
    const decoded = await decodeMp3(long, 'long.mp3', 1000, 500);
    expect(decoded.channels[0].length).toBe(500);
    expect(decoded.seen).toBeLessThan(20 * 16_000);
    await expect(joined(path, { offset: 5000 })).rejects.toMatchObject({ code: 'audio.range' });
  });
});
