// FLAC against the reference encoder, where it is installed (Debian: flac).
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { decodeFlac, readFlacInfo } from '../../src/formats/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { skipUnless } from '../skipping.js';

const installed = spawnSync('flac', ['--version']).status === 0;
const random = new CounterRandom(5);

/** Integers of `bits` bits, interleaved: loud noise, quiet noise, silence, constants, tones, full scale. */
function material(bits: number, channels: number, frames: number): number[] {
  const top = 2 ** (bits - 1) - 1;
  return Array.from({ length: frames * channels }, (_, i) => {
    const n = Math.floor(i / channels);
    const c = i % channels;
    const part = Math.floor((6 * n) / frames);
    if (part === 0) return Math.round(Math.max(-top - 1, Math.min(top, (top / 3) * random.normal(i))));
    if (part === 1) return Math.round((top / 2000 + 1) * random.normal(i));
    if (part === 2) return c === 0 ? 0 : -5;
    if (part === 3) return Math.round(top * 0.8 * Math.sin(n * 0.05 + c * 0.01));
    if (part === 4) return Math.round((top / 2) * Math.sin(n * n * 1e-4)) & ~3;
    return n % 2 === 0 ? top : -top - 1;
  });
}

function littleEndian(values: readonly number[], bytes: number): Uint8Array {
  const out = Buffer.alloc(values.length * bytes);
  for (const [i, v] of values.entries()) out.writeIntLE(v, i * bytes, bytes);
  return out;
}

function encode(raw: Uint8Array, bits: number, channels: number, ...options: string[]): Uint8Array {
  const format = ['--endian=little', '--sign=signed', `--bps=${bits}`, `--channels=${channels}`];
  const run = spawnSync(
    'flac',
    ['--silent', '--stdout', '--force-raw-format', '--sample-rate=16000', ...format, ...options, '-'],
    { input: raw, maxBuffer: 2 ** 26 },
  );
  expect(run.status, run.stderr.toString()).toBe(0);
  return new Uint8Array(run.stdout);
}

describe('flac', () => {
  skipUnless(installed, 'flac is not installed (Debian: flac)');
  it.each<[number, number, string[]]>([
    [8, 1, ['-8']],
    [16, 1, ['-0']],
    [16, 1, ['-8', '-p', '-e']],
    [16, 2, ['-5']],
    [16, 2, ['-8', '--blocksize=4608']],
    [16, 6, ['-3']],
    [24, 2, ['-8']],
    [24, 1, ['--lax', '-l', '32', '--blocksize=16384']],
    [16, 1, ['--blocksize=32']],
    [16, 1, ['--disable-constant-subframes', '--disable-fixed-subframes']],
  ])('%i bits, %i channels, %j: every sample is exact', (bits, channels, options) => {
    const frames = 20011;
    const values = material(bits, channels, frames);
    const bytes = encode(littleEndian(values, bits / 8), bits, channels, ...options);
    // Written to a pipe, so the stream info may not know the length; the end of the file tells.
    const decoded = decodeFlac(bytes, 'x.flac');
    expect(readFlacInfo(bytes)).toMatchObject({ sampleRate: 16000, channels, bitsPerSample: bits });
    expect(decoded.truncated).toBe(false);
    const scale = 2 ** (bits - 1);
    let wrong = 0;
    decoded.channels.forEach((x, c) => {
      expect(x.length).toBe(frames);
      for (let i = 0; i < frames; i++) if (x[i] * scale !== values[i * channels + c]) wrong++;
    });
    expect(wrong).toBe(0);
  });

  it('stops early when a part is asked for', () => {
    const values = material(16, 1, 20011);
    const bytes = encode(littleEndian(values, 2), 16, 1);
    const part = decodeFlac(bytes, 'x', 5000, 700);
    expect([...part.channels[0]]).toEqual(values.slice(5000, 5700).map((v) => v / 32768 + 0));
  });
});
