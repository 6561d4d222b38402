// FLAC through a small window of its bytes gives what the whole file gives.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeFlac, memorySource, openFlac, readFlac } from '../../src/formats/index.js';

const fixture = (name: string): Uint8Array =>
  readFileSync(new URL(`../fixtures/audio/${name}`, import.meta.url));

async function read(bytes: Uint8Array, window?: number): Promise<number[][]> {
  const source = memorySource(bytes, 'x.flac');
  const channels: number[][] = [];
  for await (const frame of readFlac(source, await openFlac(source), window)) {
    frame.forEach((samples, c) => {
      channels[c] ??= [];
      channels[c].push(...samples);
    });
  }
  return channels;
}

describe('readFlac', () => {
  it.each(['s16.flac', 's24-stereo.flac'])('%s: every sample, whatever the window', async (name) => {
    const bytes = fixture(name);
    const whole = decodeFlac(bytes).channels.map((samples) => [...samples]);
    for (const window of [64, 500, undefined]) expect(await read(bytes, window)).toEqual(whole);
  });

  it('tells of damage', async () => {
    const bytes = fixture('s16.flac');
    await expect(read(bytes.subarray(0, bytes.length - 100), 256)).rejects.toMatchObject({
      code: 'audio.truncated',
    });
    const damaged = bytes.slice();
    damaged[damaged.length - 40] ^= 0x10;
    await expect(read(damaged, 256)).rejects.toMatchObject({ code: expect.stringMatching(/^audio\./) });
  });
});
