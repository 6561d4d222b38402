// GGUF: metadata, block formats written out, and files that are none.
import { describe, expect, it } from 'vitest';
import { memorySource, readGguf } from '../../src/formats/index.js';

class Writer {
  private readonly parts: Buffer[] = [];
  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.parts.push(bytes);
    return this;
  }
  u64(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.parts.push(bytes);
    return this;
  }
  text(value: string): this {
    this.u64(Buffer.byteLength(value)).parts.push(Buffer.from(value));
    return this;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** A file of one tensor [2,32] and two keys. */
function file(
  type: number,
  data: Buffer,
  changes: { version?: number; dims?: number[]; magic?: number } = {},
): Buffer {
  const dims = changes.dims ?? [32, 2];
  const header = new Writer()
    .u32(changes.magic ?? 0x46554747)
    .u32(changes.version ?? 3)
    .u64(1)
    .u64(2);
  header.text('name').u32(8).text('model').text('list').u32(9).u32(4).u64(2).u32(7).u32(9);
  header.text('w').u32(dims.length);
  for (const dim of dims) header.u64(dim);
  const { bytes } = header.u32(type).u64(0);
  return Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32), data]);
}

/** Half floats of 0.5 and -1. */
const [HALF, LESS] = [0x3800, 0xbc00];
const block = (halves: number[], bytes: number[]) => {
  const scales = Buffer.alloc(2 * halves.length);
  halves.forEach((half, i) => {
    scales.writeUInt16LE(half, 2 * i);
  });
  return Buffer.concat([scales, Buffer.from(bytes)]);
};
const nibbles = Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));
const two = (one: Buffer) => Buffer.concat([one, one]);

describe('a GGUF file', () => {
  it.each([
    ['F32', 0, Buffer.from(Float32Array.from({ length: 64 }, (_, i) => i / 8).buffer), (i: number) => i / 8],
    ['F16', 1, Buffer.concat(Array.from({ length: 64 }, (_, i) => block([i % 2 ? HALF : LESS], []))), (i: number) => (i % 2 ? 0.5 : -1)], // biome-ignore format: one line
    ['BF16', 30, Buffer.concat(Array.from({ length: 64 }, () => block([0x3f80], []))), () => 1],
    [
      'Q8_0',
      8,
      two(
        block(
          [HALF],
          Array.from({ length: 32 }, (_, i) => (i - 16) & 255),
        ),
      ),
      (i: number) => ((i % 32) - 16) / 2,
    ],
    ['Q4_0', 2, two(block([HALF], nibbles)), (i: number) => ((i % 32 < 16 ? i % 16 : 15 - (i % 16)) - 8) / 2],
    [
      'Q4_1',
      3,
      two(block([HALF, LESS], nibbles)),
      (i: number) => (i % 32 < 16 ? i % 16 : 15 - (i % 16)) / 2 - 1,
    ],
  ] as const)('holds numbers as %s', async (_, type, data, expected) => {
    const gguf = await readGguf(memorySource(file(type, data)));
    expect(gguf.tensors.get('w')?.shape).toEqual([2, 32]);
    expect([...(await gguf.read('w'))]).toEqual(Array.from({ length: 64 }, (_, i) => expected(i)));
    expect(gguf.metadata.get('name')).toBe('model');
    expect(gguf.metadata.get('list')).toEqual([7, 9]);
  });

  const data = Buffer.alloc(256);
  it.each([
    ['another magic', file(0, data, { magic: 1 }), /no GGUF/],
    ['another version', file(0, data, { version: 9 }), /version 9/],
    ['another type', file(9, data), /type 9/],
    ['a tensor beyond the end', file(0, data, { dims: [32, 3] }), /outside of the file/],
    ['a size that overflows', file(0, data, { dims: [2 ** 52, 2 ** 52] }), /outside of the file/],
    ['too many axes', file(0, data, { dims: [1, 1, 1, 1, 1] }), /5 axes/],
    ['a header that ends early', file(0, data).subarray(0, 70), /ends within its header/],
    ['nothing', Buffer.alloc(0), /ends within its header/],
  ])('says what is wrong: %s', async (_, bytes, expected) => {
    await expect(readGguf(memorySource(bytes))).rejects.toThrow(expected);
  });

  it('knows its tensors', async () => {
    const gguf = await readGguf(memorySource(file(0, data)));
    await expect(gguf.read('v')).rejects.toThrow(/no such tensor/);
  });
});
