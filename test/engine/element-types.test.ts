// Types of elements that tfjs does not know: fed, fetched, kept as states and constants, cast, stored.
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  cast,
  constant,
  createReferenceEngine,
  type DType,
  float32,
  hostCall,
  hostTensor,
  int64,
  int64Values,
  OnnxEngine,
  State,
  storedType,
  storedValues,
  tf,
  typeOf,
} from '../../src/engine/index.js';
import {
  fromBfloat16,
  fromBfloat16Bits,
  fromFloat16,
  fromFloat16Bits,
  memorySource,
  readSafetensors,
  safetensorsParts,
  toBfloat16,
  toBfloat16Bits,
  toFloat16,
  toFloat16Bits,
} from '../../src/formats/index.js';
import { takeWay, WAYS } from './ways.js';

/** Numbers that each type holds, and their elements. */
const samples: Readonly<Partial<Record<DType, { data: ArrayBufferView; numbers: readonly number[] }>>> = {
  float16: { data: toFloat16([1.5, -0.333251953125, 65504]), numbers: [1.5, -0.333251953125, 65504] },
  bfloat16: { data: toBfloat16([1.5, -0.333984375, 2 ** 100]), numbers: [1.5, -0.333984375, 2 ** 100] },
  int64: { data: BigInt64Array.of(7n, -3n, 2_000_000_000n), numbers: [7, -3, 2_000_000_000] },
  uint8: { data: Uint8Array.of(7, 200, 255), numbers: [7, 200, 255] },
  int8: { data: Int8Array.of(7, -128, 127), numbers: [7, -128, 127] },
}; // biome-ignore format: a table
const types = Object.entries(samples) as [DType, NonNullable<(typeof samples)[DType]>][];

const engines = [
  ...WAYS.map((way) => ({ name: `onnxruntime by its ${way}`, way, make: () => new OnnxEngine({ threads: 1 }) })),
  { name: 'reference', way: undefined, make: createReferenceEngine },
]; // biome-ignore format: a table

describe.each(engines)('$name', ({ way, make }) => {
  if (way) takeWay(way);
  const held = types.filter(([dtype]) => !(way === 'binding' && dtype === 'bfloat16'));

  it.each(held)('takes and gives %s', async (dtype, { data, numbers }) => {
    const engine = make();
    const state = new State('state', [3], dtype);
    const program = engine.compile('through', ({ x }) => {
      const before = tf.clone(state.tensor());
      state.assign(x);
      expect([typeOf(x), typeOf(before)]).toEqual([dtype, dtype]);
      const known = hostTensor(dtype, data, [3]);
      const [seen] = hostCall('look', ([x]) => [float32(x.dtype === 'int64' ? Array.from(int64Values(x), Number) : x.data, [3])], [x], [{ dtype: 'float32', shape: [3] }]);
      return { x: tf.reshape(x, [3, 1]), before, again: cast(cast(x, 'float32'), dtype), numbers: cast(constant(known), 'float32'), seen };
    }); // biome-ignore format: long
    const x = hostTensor(dtype, data, [3]);
    const first = await program.run({ x });
    expect(first['x']).toEqual({ dtype, shape: [3, 1], data });
    expect(first['before'].data).toEqual(new (data.constructor as Uint8ArrayConstructor)(3));
    expect(first['again']).toEqual({ dtype, shape: [3], data });
    expect([...first['numbers'].data]).toEqual(numbers);
    expect([...first['seen'].data]).toEqual(Array.from(data as Uint8Array, Number));
    expect(await engine.read(state)).toEqual(data);
    expect((await program.run({ x }))['before']).toEqual({ dtype, shape: [3], data });
    await engine.write(state, hostTensor(dtype, data, [3]).data);
    expect(await engine.read(state)).toEqual(data);
    await engine.dispose();
  });

  it('rounds to nearest, ties to even, when it casts', async () => {
    const engine = make();
    const values = Float32Array.of(2049, 2051, 1 + 2 ** -11 + 2 ** -20, 65519, 1e-8, 6e-8, -0.1);
    const program = engine.compile('cast', ({ x }) => ({ y: cast(cast(x, 'float16'), 'float32'), z: cast(cast(x, 'bfloat16'), 'float32') }));
    const { y, z } = await program.run({ x: float32(values, [7]) });
    expect(y.data).toEqual(fromFloat16(toFloat16(values)));
    expect(z.data).toEqual(fromBfloat16(toBfloat16(values)));
    await engine.dispose();
  }); // biome-ignore format: long

  it('gives gradients through casts between floats', async () => {
    const engine = make();
    const program = engine.compile('gradient', ({ x }) => ({
      dx: tf.grad((x) => tf.sum(tf.square(cast(cast(x, 'float16'), 'float32'))))(x),
    }));
    expect([...(await program.run({ x: float32([1, 3], [2]) }))['dx'].data]).toEqual([2, 6]);
    await engine.dispose();
  });

  it('says what may not be assigned to a state', async () => {
    const engine = make();
    const state = new State('half', [1], 'float16');
    const program = engine.compile('assign', ({ x }) => {
      state.assign(x);
      return { x };
    });
    await expect(program.run({ x: float32([1], [1]) })).rejects.toMatchObject({ code: 'engine.state-type', path: 'half' });
    await engine.dispose();
  }); // biome-ignore format: long
});

describe('what is refused', () => {
  it('an op of tfjs on a type that it does not know', async () => {
    const program = new OnnxEngine().compile('add', ({ x }) => ({ y: tf.add(x, x) }));
    const run = program.run({ x: hostTensor('int8', Int8Array.of(1), [1]) });
    await expect(run).rejects.toMatchObject({ code: 'engine.element-type', hint: expect.stringContaining("cast(x, 'int32')") });
  }); // biome-ignore format: long

  it('data that is not what the type and the shape say', async () => {
    const program = new OnnxEngine().compile('same', ({ x }) => ({ x }));
    const given = { dtype: 'float16', shape: [2], data: Float32Array.of(1, 2) } as const;
    await expect(program.run({ x: given })).rejects.toMatchObject({ code: 'tensor.type', path: 'x' });
    const short = { dtype: 'int8', shape: [3], data: Int8Array.of(1, 2) } as const;
    await expect(program.run({ x: short })).rejects.toMatchObject({ code: 'tensor.size', path: 'x' });
    expect(() => hostTensor('int64', Int32Array.of(1), [1])).toThrow(/BigInt64Array/);
    expect(() => int64Values(float32([1], [1]))).toThrow(/int64/);
  });

  it('an int64 beyond 32 bits by an engine that has only those', async () => {
    const program = createReferenceEngine().compile('same', ({ x }) => ({ x }));
    const run = program.run({ x: int64(BigInt64Array.of(2n ** 40n), [1]) });
    await expect(run).rejects.toMatchObject({ code: 'engine.element-type' });
  });

  describe('by the binding', () => {
    takeWay('binding');
    it('bfloat16 in and out, by one clear error', async () => {
      const program = new OnnxEngine().compile('same', ({ x }) => ({ y: cast(x, 'bfloat16') }));
      await expect(program.run({ x: float32([1], [1]) })).rejects.toMatchObject({ code: 'engine.element-type' });
    }); // biome-ignore format: long
  });
});

describe('16-bit floats', () => {
  const nearest = (toBits: (value: number) => number, fromBits: (bits: number) => number, first: number, last: number) => {
    // Every two neighbours of one sign: what lies between goes to the nearer, the middle to the even one.
    for (const sign of [0, 0x8000]) {
      for (let bits = first; bits < last; bits++) {
        const [low, high] = [fromBits(sign | bits), fromBits(sign | (bits + 1))];
        const middle = (low + high) / 2;
        if (Math.fround(middle) !== middle) continue;
        const even = sign | (bits % 2 === 0 ? bits : bits + 1);
        const [below, above] = [neighbour(middle, -1), neighbour(middle, 1)];
        const found = [toBits(middle), toBits(below), toBits(above)];
        const wanted = [even, sign | bits, sign | (bits + 1)];
        if (found.join() !== wanted.join()) expect({ bits, found }).toEqual({ bits, found: wanted });
      }
    }
  }; // biome-ignore format: long

  it('are rounded to nearest, ties to even, between all of their values', () => {
    nearest(toFloat16Bits, fromFloat16Bits, 0, 0x7bff);
    nearest(toBfloat16Bits, fromBfloat16Bits, 0x0001, 0x7f7f);
  });

  it('come back from float32 as they were', () => {
    const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const numbers = patterns.filter((bits) => !Number.isNaN(fromFloat16Bits(bits)));
    expect(toFloat16(fromFloat16(numbers))).toEqual(numbers);
    const wide = patterns.filter((bits) => !Number.isNaN(fromBfloat16Bits(bits)));
    expect(toBfloat16(fromBfloat16(wide))).toEqual(wide);
  });
});

/** The float32 next to `value`, away from zero for direction 1. */
function neighbour(value: number, direction: number): number {
  const float = Float32Array.of(value);
  const bits = new Int32Array(float.buffer);
  bits[0] += direction;
  return float[0];
}

it.each(types)('%s is written to safetensors and read back', async (dtype, { data, numbers }) => {
  const stored = { dtype: storedType(dtype), shape: [3], data: data as Uint8Array };
  const file = Buffer.concat(safetensorsParts([['x', stored]]));
  const { tensors } = await readSafetensors(memorySource(file));
  const read = tensors.get('x');
  if (!read) throw new Error('nothing was read');
  expect(storedValues(read, dtype)).toEqual(data);
  expect([...storedValues(read, 'float32')]).toEqual(numbers);
  expect(bytesOf(dtype, 3)).toBe(data.byteLength);
  if (dtype.endsWith('16')) return;
  const wider = { ...stored, dtype: 'I32', data: Int32Array.from(numbers) } as const;
  expect(storedValues(wider, dtype)).toEqual(data);
});
