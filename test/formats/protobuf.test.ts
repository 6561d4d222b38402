import { describe, expect, it } from 'vitest';
import { ProtoReader, ProtoWriter } from '../../src/formats/index.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('protobuf', () => {
  it('writes the bytes of the encoding guide', () => {
    // Examples of https://protobuf.dev/programming-guides/encoding/
    expect(hex(new ProtoWriter().int64(1, 150).finish())).toBe('089601');
    expect(hex(new ProtoWriter().string(2, 'testing').finish())).toBe('120774657374696e67');
    expect(hex(new ProtoWriter().message(3, (w) => w.int64(1, 150)).finish())).toBe('1a03089601');
    expect(hex(new ProtoWriter().packedInt64(6, [3, 270, 86942]).finish())).toBe('3206038e029ea705');
    expect(hex(new ProtoWriter().int32(1, -2).finish())).toBe('08feffffffffffffffff01');
    expect(hex(new ProtoWriter().sint64(1, -2).finish())).toBe('0803');
  });

  it('reads back what it wrote, large integers and long nested messages included', () => {
    const blob = Uint8Array.from({ length: 70000 }, (_, i) => i);
    const bytes = new ProtoWriter()
      .int64(1, -(2 ** 40))
      .uint64(2, 2n ** 64n - 1n)
      .float(3, 0.5)
      .double(4, Math.PI)
      .message(5, (w) => w.message(1, (v) => v.bytes(7, blob)).string(2, 'ж'))
      .packedFloat(6, [1, -2.5])
      .bool(1000, true)
      .finish();
    const reader = new ProtoReader(bytes);
    const seen: unknown[] = [];
    while (reader.next()) {
      if (reader.field === 1) seen.push(reader.int64());
      else if (reader.field === 2) seen.push(reader.bigint());
      else if (reader.field === 3) seen.push(reader.float());
      else if (reader.field === 5) {
        const outer = reader.message();
        outer.next();
        const inner = outer.message();
        inner.next();
        expect(inner.bytes()).toEqual(blob);
        outer.next();
        seen.push(outer.string());
      } else if (reader.field === 6) seen.push(reader.packedFloat());
      else if (reader.field === 1000) seen.push(reader.bool());
    }
    expect(seen).toEqual([-(2 ** 40), 2n ** 64n - 1n, 0.5, 'ж', [1, -2.5], true]);
  });

  it('refuses truncated and nonsensical input with a code', () => {
    const bytes = new ProtoWriter().string(2, 'testing').finish().subarray(0, 5);
    const reader = new ProtoReader(bytes);
    reader.next();
    expect(() => reader.string()).toThrow(expect.objectContaining({ code: 'protobuf.corrupt' }));
    const endless = new ProtoReader(new Uint8Array(12).fill(255));
    expect(() => endless.next()).toThrow(/varint/);
  });
});
