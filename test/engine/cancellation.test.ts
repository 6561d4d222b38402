// Runs that a signal ends: nothing has changed, numbers are those of runs without a signal, and nothing else comes between.
import { describe, expect, it } from 'vitest';
import {
  cancellable,
  createReferenceEngine,
  float32,
  hostCall,
  OnnxEngine,
  State,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { takeWay, WAYS } from './ways.js';

const matrix = (side: number) => ({
  x: float32(
    Float32Array.from({ length: side * side }, (_, i) => Math.sin(i) / side),
    [side, side],
  ),
});
const SIDE = 256;
const inputs = matrix(SIDE);
/** Some hundred milliseconds. */
function long(x: Tensor): Tensor {
  let y = x;
  for (let i = 0; i < 150; i++) y = tf.tanh(tf.matMul(y, x));
  return y;
}

const engines = [
  ...WAYS.map((way) => ({ name: `onnxruntime by its ${way}`, way, make: () => new OnnxEngine({ threads: 2 }) })),
  { name: 'reference', way: undefined, make: createReferenceEngine },
]; // biome-ignore format: a table

describe.each(engines)('$name', ({ way, make }) => {
  if (way) takeWay(way);

  it('does not begin a run for a signal that is aborted, given or around', async () => {
    const engine = make();
    const state = new State('state', [1]);
    const program = engine.compile('add', ({ x }) => {
      state.assign(tf.add(state.tensor(), x));
      return {};
    });
    const x = float32([1], [1]);
    const signal = AbortSignal.abort('no more');
    await expect(program.run({ x }, { signal })).rejects.toMatchObject({ code: 'engine.cancelled', cause: 'no more' });
    const around = cancellable(signal, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await program.run({ x });
    });
    await expect(around).rejects.toMatchObject({ code: 'engine.cancelled' });
    await program.run({ x });
    expect([...(await engine.read(state))]).toEqual([1]);
    await engine.dispose();
  }); // biome-ignore format: long

  it('computes the same bits with a signal as without, denormal numbers too', async () => {
    const engine = make();
    const program = engine.compile('small', ({ x }) => ({ y: tf.mul(tf.mul(x, 1e-20), 1e-20), z: tf.matMul(x, x) }));
    const given = matrix(way ? 128 : 8);
    const plain = await program.run(given);
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) expect(await program.run(given, { signal })).toEqual(plain);
    expect(plain['y'].data.some((v) => v !== 0 && Math.abs(v) < 1.17e-38)).toBe(true);
    await engine.dispose();
  }); // biome-ignore format: long
});

describe('by the capi', () => {
  takeWay('capi');

  /** A state that each run adds 1 to, in two parts or one, after a long computation. */
  function counting(engine: OnnxEngine) {
    const count = new State('count', [SIDE, SIDE]);
    const program = engine.compile('count', ({ x }) => {
      const y = long(x);
      count.assign(tf.add(count.tensor(), tf.add(tf.mul(y, 0), 1)));
      return { y: tf.sum(y) };
    });
    return { count, program };
  }

  it('ends a run in its middle, after which all is as before it', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const { count, program } = counting(engine);
    const first = await program.run(inputs);
    const before = await engine.read(count);
    for (const wait of [0, 5, 15]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), wait);
      const run = program.run(inputs, { signal: controller.signal });
      await expect(run).rejects.toMatchObject({ code: 'engine.cancelled' });
      expect(await engine.read(count)).toEqual(before);
    }
    expect(await program.run(inputs)).toEqual(first);
    expect((await engine.read(count))[0]).toBe(2);
    await engine.dispose();
  });

  it('leaves the event loop free, and makes one run at a time', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const { count, program } = counting(engine);
    const expected = await program.run(inputs);
    const { signal } = new AbortController();
    let turns = 0;
    const turning = setInterval(() => turns++, 1);
    const runs = [1, 2, 3].map(() => program.run(inputs, { signal }));
    const seen = engine.read(count);
    expect(await Promise.all(runs)).toEqual([expected, expected, expected]);
    clearInterval(turning);
    expect(turns).toBeGreaterThan(3);
    expect(Number.isInteger((await seen)[0])).toBe(true);
    expect((await engine.read(count))[0]).toBe(4);
    await engine.dispose();
  });

  it('waits for a run that is under way when program or engine are disposed of', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const { program } = counting(engine);
    const expected = await program.run(inputs);
    const { signal } = new AbortController();
    const run = program.run(inputs, { signal });
    await new Promise((resolve) => setTimeout(resolve, 2));
    program.dispose();
    const disposed = engine.dispose();
    expect(await run).toEqual(expected);
    await disposed;
  });

  it('runs host functions where JavaScript is', async () => {
    const engine = new OnnxEngine({ threads: 2 });
    const program = engine.compile('host', ({ x }) => ({
      y: hostCall('half', ([x]) => [{ ...x, data: Float32Array.from(x.data, (v) => v / 2) }], [long(x)], [{ dtype: 'float32', shape: x.shape }])[0],
    }));
    const plain = await program.run(inputs);
    const { signal } = new AbortController();
    expect(await program.run(inputs, { signal })).toEqual(plain);
    await engine.dispose();
  }); // biome-ignore format: long
});
