// Half precision and bfloat16: whole arrays go by a table and by bits, and give what each pattern gives by itself.
import { describe, expect, it } from 'vitest';
import {
  fromBfloat16,
  fromBfloat16Bits,
  fromFloat16,
  fromFloat16Bits,
  memorySource,
  readWeights,
  safetensorsParts,
  tensorToFloat32,
} from '../../src/formats/index.js';

const patterns = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);

describe.each([
  ['binary16', fromFloat16, fromFloat16Bits],
  ['bfloat16', fromBfloat16, fromBfloat16Bits],
] as const)('numbers of %s', (_, all, one) => {
  it('are those of their patterns, many or few, in memory of their own or given', () => {
    const expected = [...patterns].map(one);
    expect([...all(patterns)]).toEqual(expected);
    const memory = new Float32Array(patterns.length + 2);
    const out = all(patterns, memory.subarray(1, -1));
    expect(out.buffer).toBe(memory.buffer);
    expect([...memory]).toEqual([0, ...expected, 0]);
    expect([...all([0x3c00, 0x7f80, 0x8001])]).toEqual([0x3c00, 0x7f80, 0x8001].map(one).map(Math.fround));
  });
});

describe('a tensor of safetensors', () => {
  const data = Float32Array.from({ length: 6 }, (_, i) => i / 4);
  const file = Buffer.concat([
    ...safetensorsParts([['a', { dtype: 'F32', shape: [2, 3], data }]]),
  ] as Buffer[]);

  it('is read into memory that is given, where it fits', async () => {
    const source = { ...memorySource(file), read: readCopied };
    const weights = await readWeights(source);
    const scratch = new Uint8Array(32);
    const tensor = await weights.read('a', scratch);
    expect(tensor.data.buffer).toBe(scratch.buffer);
    expect(tensorToFloat32(tensor)).toEqual(data);
    const own = await weights.read('a', new Uint8Array(8));
    expect(own.data).toEqual(data);
    const view = await (await readWeights(memorySource(file))).read('a');
    expect(view.data.buffer).not.toBe(file.buffer);
    expect(view.data).toEqual(data);
  });

  /** As a file is read: into what is given, or into memory of its own. */
  async function readCopied(offset: number, length: number, scratch?: Uint8Array): Promise<Uint8Array> {
    const bytes = file.subarray(offset, offset + length);
    if (!scratch || scratch.length < bytes.length) return Uint8Array.from(bytes);
    scratch.set(bytes);
    return scratch.subarray(0, bytes.length);
  }
});
