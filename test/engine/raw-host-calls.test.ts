// Host calls on addresses, with functions of libc.
import { describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  float32,
  OnnxEngine,
  type RawHostFunction,
  rawHostCall,
  State,
  scan,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { koffi, openLibrary } from '../../src/engine/native/koffi.js';
import { skipUnless } from '../skipping.js';
import { takeWay, WAYS } from './ways.js';

const native = koffi();
const libc = native && process.platform !== 'win32' ? openLibrary(native, null) : undefined;
const memcpy = libc?.func('void *memcpy(void *, void *, size_t)');
let made = 0;

const copy: RawHostFunction = ([from], [to]) => {
  if (from.address !== to.address) memcpy?.(to.address, from.address, from.bytes);
};

/** Sorts int32 where they are, by libc's qsort with a comparison of ours. */
function sort(places: bigint[]): RawHostFunction {
  return (inputs, outputs) => {
    copy(inputs, outputs);
    if (!native || !libc) return 'there is no libc';
    const compare = native.proto(`Compare${made}`, 'int', ['int *', 'int *']);
    const qsort = libc.func(`void qsort(void *, size_t, size_t, Compare${made++} *)`);
    const decode = (at: unknown) => native.decode(at as bigint, native.array('int', 1)) as number[];
    qsort(
      outputs[0].address,
      outputs[0].shape[0],
      4,
      (a: unknown, b: unknown) => decode(a)[0] - decode(b)[0],
    );
    void compare;
    places.push(inputs[0].address, outputs[0].address);
    return 0;
  };
}

/** x and 2 x, each by way of memcpy inside a loop. */
function running(x: Tensor): Tensor {
  const add = ([c]: Tensor[], [s]: Tensor[]): { carry: Tensor[]; ys: Tensor[] } => {
    const next: Tensor[] = rawHostCall('copy', copy, [tf.add(c, s)], [{ dtype: 'float32', shape: c.shape }]);
    return { carry: next, ys: next };
  };
  return scan(add, [tf.zerosLike(x)], [tf.stack([x, x])]).ys[0];
}

const engines = [
  ...WAYS.map((way) => ({ name: `onnxruntime by its ${way}`, way, make: () => new OnnxEngine({ threads: 2 }) })),
  { name: 'reference', way: undefined, make: createReferenceEngine },
]; // biome-ignore format: a table

describe('host calls on addresses', () => {
  skipUnless(libc !== undefined, 'koffi or libc is not there');
  describe.each(engines)('$name', ({ way, make }) => {
    if (way) takeWay(way);
    const like = (x: Tensor) => [{ dtype: x.dtype as 'float32', shape: x.shape }];

    it('sorts with qsort, in place where nobody else reads the input', async () => {
      const engine = make();
      const places: bigint[] = [];
      const program = engine.compile('sort', ({ x }) => {
        const y = tf.mul(x, tf.scalar(2, 'int32'));
        const [sorted] = rawHostCall('sort', sort(places), [y], like(y));
        return { y: tf.add(sorted, tf.scalar(1, 'int32')) };
      });
      const x = { dtype: 'int32', shape: [5], data: Int32Array.of(4, -2, 9, 0, 3) } as const;
      expect([...(await program.run({ x }))['y'].data]).toEqual([-3, 1, 7, 9, 19]);
      expect([...x.data]).toEqual([4, -2, 9, 0, 3]);
      expect(places[0] === places[1]).toBe(way === 'capi');
      await engine.dispose();
    });

    it('copies with memcpy beside an input that others read, in loops and into states', async () => {
      const engine = make();
      const total = new State('total', [4]);
      const program = engine.compile('copy', ({ x }) => {
        const [y] = rawHostCall('copy', copy, [x], like(x));
        total.assign(tf.add(total.tensor(), rawHostCall('copy', copy, [y], like(y))[0]));
        const sums = way === 'binding' ? tf.stack([x, x]) : running(x);
        return { both: tf.add(x, y), sums };
      });
      const x = float32([1, 2, 3, 4], [4]);
      const { both, sums } = await program.run({ x });
      expect([...both.data]).toEqual([2, 4, 6, 8]);
      expect([...sums.data.slice(4)]).toEqual(way === 'binding' ? [1, 2, 3, 4] : [2, 4, 6, 8]);
      await program.run({ x });
      expect([...(await engine.read(total))]).toEqual([2, 4, 6, 8]);
      await engine.dispose();
    });

    it.each([
      ['a status', (): number => 5, 'the host function returned status 5'],
      ['a text', (): string => 'MPI_ERR_COMM', 'MPI_ERR_COMM'],
      ['an exception', () => { throw new Error('no peer'); }, 'the host function failed: no peer'],
    ] as const)('%s becomes an error, and no state has changed', async (_, fn, message) => {
      const engine = make();
      const state = new State('state', [2]);
      const program = engine.compile('fail', ({ x }) => {
        state.assign(x);
        return { y: rawHostCall('reduce', fn, [x], like(x))[0] };
      });
      const run = program.run({ x: float32([1, 2], [2]) });
      await expect(run).rejects.toMatchObject({ code: 'engine.host-call', path: 'reduce', message: expect.stringContaining(message) });
      expect([...(await engine.read(state))]).toEqual([0, 0]);
      await engine.dispose();
    });

    it('takes values without elements', async () => {
      const engine = make();
      const sizes: number[] = [];
      const program = engine.compile('empty', ({ x }) => ({
        y: rawHostCall('look', ([from], [to]) => void sizes.push(from.bytes, to.bytes), [x], like(x))[0],
      }));
      expect((await program.run({ x: float32([], [0, 3]) }))['y'].data.length).toBe(0);
      expect(sizes).toEqual([0, 0]);
      await engine.dispose();
    });
  });
}); // biome-ignore format: long
