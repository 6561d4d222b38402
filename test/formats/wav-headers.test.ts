// WAV headers that programs get wrong, and that other readers (libsndfile 1.2.2, ffmpeg 5.1) bear: the samples are the same.
import { describe, expect, it } from 'vitest';
import { decodeAudio } from '../../src/audio/index.js';

const N = 301;
const value = (i: number) => Math.round(20_000 * Math.sin(0.01 * i * i));
const expected = Float32Array.from({ length: N }, (_, i) => value(i) / 32768);

/** The signal in samples of `bytes` bytes, low bytes zero. */
function data(bytes: number): Buffer {
  const out = Buffer.alloc(N * bytes);
  for (let i = 0; i < N; i++) out.writeInt16LE(value(i), i * bytes + bytes - 2);
  return out;
}

function floats(bytes: 4 | 8): Buffer {
  const out = Buffer.alloc(N * bytes);
  for (let i = 0; i < N; i++) {
    if (bytes === 4) out.writeFloatLE(expected[i], 4 * i);
    else out.writeDoubleLE(expected[i], 8 * i);
  }
  return out;
}

interface Header {
  readonly tag?: number;
  readonly channels?: number;
  readonly byteRate?: number;
  readonly blockAlign?: number;
  readonly bits?: number;
  readonly extension?: Buffer;
}

function fmt(header: Header): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt16LE(header.tag ?? 1, 0);
  out.writeUInt16LE(header.channels ?? 1, 2);
  out.writeUInt32LE(16_000, 4);
  out.writeUInt32LE(header.byteRate ?? 32_000, 8);
  out.writeUInt16LE(header.blockAlign ?? 2, 12);
  out.writeUInt16LE(header.bits ?? 16, 14);
  return Buffer.concat([out, header.extension ?? Buffer.alloc(0)]);
}

function chunk(name: string, body: Buffer, size = body.length, padded = true): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, body, Buffer.alloc(padded ? body.length % 2 : 0)]);
}

const riff = (...chunks: Buffer[]) => {
  const body = Buffer.concat([Buffer.from('WAVE'), ...chunks]);
  return new Uint8Array(Buffer.concat([chunk('RIFF', body)]));
};

const read = async (...chunks: Buffer[]) => (await decodeAudio(riff(...chunks))).samples;

describe('block align', () => {
  it.each([0, 1, 2, 3, 4, 6, 8, 65_535])('16 bits in blocks of %i bytes are 16 bits', async (blockAlign) => {
    expect(await read(chunk('fmt ', fmt({ blockAlign })), chunk('data', data(2)))).toEqual(expected);
  });

  it.each([0, 1, 2, 3, 6])('24 bits in blocks of %i bytes are three bytes', async (blockAlign) => {
    const samples = await read(chunk('fmt ', fmt({ bits: 24, blockAlign })), chunk('data', data(3)));
    expect(samples).toEqual(expected);
  });

  it('24 bits in blocks of 4 bytes are four bytes', async () => {
    const samples = await read(chunk('fmt ', fmt({ bits: 24, blockAlign: 4 })), chunk('data', data(4)));
    expect(samples).toEqual(expected);
  });

  it.each([
    [32, 0],
    [32, 8],
    [64, 4],
    [64, 0],
  ])('float of %i bits in blocks of %i bytes', async (bits, blockAlign) => {
    const body = floats(bits === 32 ? 4 : 8);
    expect(await read(chunk('fmt ', fmt({ tag: 3, bits, blockAlign })), chunk('data', body))).toEqual(
      expected,
    );
  });

  it('stereo of half the block', async () => {
    const header = chunk('fmt ', fmt({ channels: 2, blockAlign: 2 }));
    const decoded = await decodeAudio(riff(header, chunk('data', Buffer.concat([data(2), data(2)]))));
    expect([decoded.channels, decoded.samples.length]).toEqual([2, N]);
  });

  it('decides where the bits make no sense; where neither does, both are named', async () => {
    expect(await read(chunk('fmt ', fmt({ bits: 0 })), chunk('data', data(2)))).toEqual(expected);
    const senseless = read(chunk('fmt ', fmt({ bits: 99, blockAlign: 5 })), chunk('data', data(2)));
    await expect(senseless).rejects.toThrow('99-bit int samples in blocks of 5 bytes');
  });
});

describe('sizes', () => {
  const header = chunk('fmt ', fmt({}));
  it.each([0, 0xffffffff])('data of size %i go to the end of the file', async (size) => {
    expect(await read(header, chunk('data', data(2), size))).toEqual(expected);
  });

  it.each([true, false])('a chunk of odd length, padded: %s', async (padded) => {
    const odd = chunk('LIST', Buffer.from('INFOabc'), 7, padded);
    expect(await read(odd, header, chunk('data', data(2)))).toEqual(expected);
  });

  it('a wrong byte rate does not matter', async () => {
    expect(await read(chunk('fmt ', fmt({ byteRate: 7 })), chunk('data', data(2)))).toEqual(expected);
  });

  it.each([16, 12, 0])('extensible, %i valid bits', async (valid) => {
    const extension = Buffer.alloc(24);
    extension.writeUInt16LE(22, 0);
    extension.writeUInt16LE(valid, 2);
    extension.writeUInt16LE(1, 8);
    const long = chunk('fmt ', fmt({ tag: 0xfffe, blockAlign: 0, extension }));
    expect(await read(long, chunk('data', data(2)))).toEqual(expected);
  });
});
