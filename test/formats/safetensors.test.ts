import { describe, expect, it } from 'vitest';
import {
  encodeSafetensors,
  fromBfloat16Bits,
  fromFloat16Bits,
  memorySource,
  readSafetensors,
  type SafeTensor,
  tensorToFloat32,
  toBfloat16Bits,
  toFloat16Bits,
} from '../../src/formats/index.js';

const read = (bytes: Uint8Array) => readSafetensors(memorySource(bytes, 'x.safetensors'));

const PYTHON_FILE =
  'kAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJ3Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsxLDJdLCJkYXRhX29mZnNldHMiOlswLDhdfSwiaCI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbMV0sImRhdGFfb2Zmc2V0cyI6WzgsMTBdfX0gICAAAIA/AAAAQAA8';

/** A file with a hand-written header. */
function file(header: string, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

describe('safetensors', () => {
  it('reads back every type, scalars, empty tensors and metadata', async () => {
    const tensors: [string, SafeTensor][] = [
      ['b', { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) }],
      ['f', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, -2, 3.5, 0) }],
      ['h', { dtype: 'F16', shape: [1], data: Uint16Array.of(toFloat16Bits(0.1)) }],
      ['bf', { dtype: 'BF16', shape: [1], data: Uint16Array.of(toBfloat16Bits(0.1)) }],
      ['i', { dtype: 'I64', shape: [], data: BigInt64Array.of(-5n) }],
      ['i32', { dtype: 'I32', shape: [1], data: Int32Array.of(-7) }],
      ['u', { dtype: 'U8', shape: [0, 4], data: new Uint8Array(0) }],
    ];
    const bytes = encodeSafetensors(tensors, { step: '12' });
    const back = await read(bytes);
    expect(back.metadata).toEqual({ step: '12' });
    for (const [name, tensor] of tensors) expect(back.tensors.get(name)).toEqual(tensor);
    expect(tensorToFloat32(tensors[4][1])).toEqual(Float32Array.of(-5));
    expect(tensorToFloat32(tensors[3][1])[0]).toBeCloseTo(0.1, 3);
    // Equal content makes equal bytes, whatever the order given.
    expect(encodeSafetensors(tensors.toReversed(), { step: '12' })).toEqual(bytes);
  });

  it.each([
    ['safetensors.truncated', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 4)],
    ['safetensors.corrupt', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 12)],
    ['safetensors.corrupt', file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', 4)],
    ['safetensors.corrupt', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8)],
    ['safetensors.corrupt', file('{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}', 4)],
    ['safetensors.corrupt', file('[1]', 0)],
    ['safetensors.corrupt', file('{"a":', 0)],
    ['safetensors.corrupt', new Uint8Array(16).fill(255)],
    ['safetensors.truncated', new Uint8Array(3)],
    ['safetensors.truncated', file('{}', 0).subarray(0, 9)],
  ])('refuses a bad file: %s (%#)', async (code, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code, position: { file: 'x.safetensors' } });
  });

  it('reads a file the reference implementation wrote', async () => {
    // safetensors 0.8.0 for Python: save({'w': float32 [[1, 2]], 'h': float16 [1]}, {'format': 'pt'})
    const bytes = Buffer.from(PYTHON_FILE, 'base64');
    const { tensors, metadata } = await read(bytes);
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.get('w')).toEqual({ dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, 2) });
    expect(tensors.get('h')).toEqual({ dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) });
  });

  it('refuses to write data that does not fill its shape', () => {
    const bad: SafeTensor = { dtype: 'F32', shape: [3], data: new Float32Array(2) };
    expect(() => encodeSafetensors([['a', bad]])).toThrow(/\[3\]/);
  });
});

describe('16-bit floats', () => {
  it('every binary16 pattern survives the way through float32', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromFloat16Bits(bits);
      if (Number.isNaN(value)) continue;
      if (toFloat16Bits(value) !== bits) expect(toFloat16Bits(value)).toBe(bits);
      const wide = fromBfloat16Bits(bits);
      if (!Number.isNaN(wide) && toBfloat16Bits(wide) !== bits) expect(toBfloat16Bits(wide)).toBe(bits);
    }
  });

  it('rounds to nearest, ties to even', () => {
    expect(fromFloat16Bits(toFloat16Bits(2049))).toBe(2048); // a tie: 2048 has the even fraction
    expect(fromFloat16Bits(toFloat16Bits(2051))).toBe(2052);
    expect(fromFloat16Bits(toFloat16Bits(65519))).toBe(65504);
    expect(fromFloat16Bits(toFloat16Bits(65520))).toBe(Number.POSITIVE_INFINITY);
    expect(fromFloat16Bits(toFloat16Bits(2 ** -25))).toBe(0);
    expect(fromFloat16Bits(toFloat16Bits(2 ** -25 * 1.01))).toBe(2 ** -24);
    expect(fromBfloat16Bits(toBfloat16Bits(257))).toBe(256);
    expect(fromBfloat16Bits(toBfloat16Bits(259))).toBe(260);
    expect(fromFloat16Bits(toFloat16Bits(Number.NaN))).toBeNaN();
    expect(fromBfloat16Bits(toBfloat16Bits(Number.NaN))).toBeNaN();
  });
});
