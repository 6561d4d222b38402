// Host functions in compiled programs: the same by the C API, where they are nodes, and by the binding, where the program is
// cut at them.
import { afterAll, describe, expect, it } from 'vitest';
import {
  float32,
  type HostFunction,
  hostCall,
  int32,
  OnnxEngine,
  State,
  scan,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { takeWay, WAYS } from './ways.js';

const doubled: HostFunction = ([x]) => [{ ...x, data: Float32Array.from(x.data, (v) => 2 * v) }];
const spec = (shape: readonly number[], dtype: 'float32' | 'int32' | 'bool' = 'float32') => ({
  dtype,
  shape,
});

describe.each(WAYS)('host calls by the %s', (way) => {
  takeWay(way);
  const engine = new OnnxEngine({ threads: 2 });
  afterAll(() => engine.dispose());

  it('take and give tensors of all types', async () => {
    const program = engine.compile('types', ({ x, n }) => {
      const [sum, count, positive] = hostCall(
        'types',
        ([x, n]) => [
          float32([Array.from(x.data).reduce((a, v) => a + v, 0) + n.data[0]], []),
          int32([x.data.length], [1]),
          { dtype: 'bool', shape: x.shape, data: Uint8Array.from(x.data, (v) => (v > 0 ? 1 : 0)) },
        ],
        [x, n],
        [spec([]), spec([1], 'int32'), spec([3], 'bool')],
      );
      return { sum: tf.mul(sum, 2), count: tf.add(count, 1), positive: tf.logicalNot(positive) };
    });
    const out = await program.run({ x: float32([1, -2, 4], [3]), n: int32([10], [1]) });
    expect(Array.from(out['sum'].data)).toEqual([26]);
    expect(Array.from(out['count'].data)).toEqual([4]);
    expect(Array.from(out['positive'].data)).toEqual([0, 1, 0]);
  });

  it('give their inputs in another order, or pieces of them, though they may be written in place', async () => {
    const program = engine.compile('order', ({ x, y }) => {
      const given = [tf.add(x, 1), tf.add(y, 1)];
      const [b, a] = hostCall('swap', ([a, b]) => [b, a], given, [spec([2]), spec([2])]);
      const lone = tf.mul(x, 3);
      const turn: HostFunction = ([z]) => [{ ...z, data: z.data.subarray(1) }, { ...z, data: z.data.subarray(0, 1) }]; // biome-ignore format: one line
      const [last, first] = hostCall('turn', turn, [lone], [spec([1]), spec([1])]);
      return { a: tf.mul(a, 1.5), b: tf.mul(b, 1.5), last: tf.mul(last, 2), first: tf.mul(first, 2) };
    });
    const out = await program.run({ x: float32([1, 3], [2]), y: float32([5, 7], [2]) });
    const values = Object.entries(out).map(([key, { data }]) => [key, [...data]]);
    expect(Object.fromEntries(values)).toEqual({ a: [3, 6], b: [9, 12], last: [18], first: [6] });
  });

  it('give floats of a lone input of integers, and of no input', async () => {
    const program = engine.compile('lone', ({ n }) => {
      const [half] = hostCall('half', ([n]) => [float32(Float32Array.from(n.data, (v) => v / 2), [2])], [n], [spec([2])]); // biome-ignore format: short
      const [three] = hostCall('three', () => [float32([3], [1])], [], [spec([1])]);
      return { half: tf.mul(half, three) };
    });
    const out = await program.run({ n: int32([1, 2], [2]) });
    expect(Array.from(out['half'].data)).toEqual([1.5, 3]);
  });

  it('leave alone what others read of their input', async () => {
    const inPlace: HostFunction = ([x]) => {
      const data = x.data as Float32Array;
      for (let i = 0; i < data.length; i++) data[i] *= -1;
      return [{ ...x, data }];
    };
    const program = engine.compile('shared input', ({ x }) => {
      const square = tf.square(x);
      const [negative] = hostCall('negate', doubled, [square], [spec([3])]);
      return { sum: tf.add(square, negative), negative };
    });
    const out = await program.run({ x: float32([1, 2, 3], [3]) });
    expect(Array.from(out['sum'].data)).toEqual([3, 12, 27]);
    const alone = engine.compile('own input', ({ x }) => {
      const [negative] = hostCall('negate', inPlace, [tf.square(x)], [spec([3])]);
      return { negative: tf.add(negative, 1) };
    });
    const negated = await alone.run({ x: float32([1, 2, 3], [3]) });
    expect(Array.from(negated['negative'].data)).toEqual([0, -3, -8]);
  });

  it('name the call whose function throws; the states stay, and the program runs again', async () => {
    const state = new State('total', [1]);
    let refuse = true;
    const program = engine.compile('throwing', ({ x }) => {
      const [y] = hostCall(
        'lattice',
        ([x]) => {
          if (refuse) throw new Error('no path');
          return [x];
        },
        [x],
        [spec([1])],
      );
      state.assign(tf.add(state.tensor(), y));
      return { total: state.tensor() };
    });
    await expect(program.run({ x: float32([1], [1]) })).rejects.toMatchObject({
      code: 'engine.host-call',
      path: 'lattice',
      message: expect.stringContaining('no path'),
    });
    expect(Array.from(await engine.read(state))).toEqual([0]);
    refuse = false;
    await program.run({ x: float32([5], [1]) });
    expect(Array.from(await engine.read(state))).toEqual([5]);
    engine.release([state]);
  });

  it('pass on an error of this library as it is', async () => {
    const error = new AnemoneError({ code: 'test.own', message: 'mine' });
    const program = engine.compile('own error', ({ x }) => {
      const fail = () => {
        throw error;
      };
      return { y: hostCall('fails', fail, [x], [spec([1])])[0] };
    });
    await expect(program.run({ x: float32([1], [1]) })).rejects.toBe(error);
  });

  it.each([
    ['too few values', () => [float32([1], [1])]],
    ['values of another width', () => [{ dtype: 'float32' as const, shape: [2], data: new Uint8Array(2) }]],
    ['no value', () => []],
  ])('refuse %s', async (_, fn) => {
    const program = engine.compile('misfit', ({ x }) => ({ y: hostCall('misfit', fn, [x], [spec([2])])[0] }));
    await expect(program.run({ x: float32([1, 2], [2]) })).rejects.toMatchObject({
      code: 'engine.host-call',
      path: 'misfit',
    });
  });

  it('may run programs of their own', async () => {
    const inner = engine.compile('inner', ({ x }) => ({ y: tf.add(x, 1) }));
    let started: Promise<unknown> | undefined;
    const program = engine.compile('outer', ({ x }) => {
      const nested: HostFunction = ([x]) => {
        started = inner.run({ x: float32(Float32Array.from(x.data), [1]) });
        return [{ ...x, data: x.data.slice() }];
      };
      return { y: tf.mul(hostCall('nested', nested, [x], [spec([1])])[0], 2) };
    });
    const out = await program.run({ x: float32([4], [1]) });
    expect(out['y'].data[0]).toBe(8);
    expect(await started).toMatchObject({ y: { data: Float32Array.of(5) } });
  });
});

describe('host calls as nodes', () => {
  takeWay('capi');

  it('stand in loops, each turn calls', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const seen: number[] = [];
    const program = engine.compile('loop', ({ x }) => {
      const { carry, ys } = scan(
        ([total], [value]) => {
          const [next] = hostCall(
            'turn',
            ([total, value]) => {
              seen.push(value.data[0]);
              return [float32([total.data[0] + value.data[0]], [1])];
            },
            [total, value],
            [spec([1])],
          );
          return { carry: [next], ys: [tf.mul(next, 2)] };
        },
        [tf.zeros([1])],
        [x] as Tensor[],
      );
      return { total: carry[0], all: ys[0] };
    });
    const out = await program.run({ x: float32([1, 2, 3, 4], [4, 1]) });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(Array.from(out['total'].data)).toEqual([10]);
    expect(Array.from(out['all'].data)).toEqual([2, 6, 12, 20]);
    await engine.dispose();
  });
});
