import { describe, expect, it } from 'vitest';
import { float32, OnnxEngine, State, tf } from '../../src/engine/index.js';
import { takeWay, WAYS } from './ways.js';

/** `scale` times the identity: of 16 and 1,024 elements, so inside a model and outside of it. */
const diagonal = (size: number, scale: number) =>
  Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? scale : 0));

describe.each(WAYS)('programs with constant states, by the %s', (way) => {
  takeWay(way);

  it.each([4, 32])(
    'notice every change of a state of %i rows, written or assigned, and compile again only then',
    async (size) => {
      const engine = new OnnxEngine({ threads: 1 });
      const w = new State('w', [size, size], 'float32', () => diagonal(size, 1));
      const other = new State('other', [1]);
      const product = engine.compile('product', ({ x }) => ({ y: tf.matMul(x, w.tensor()) }), {
        constantStates: true,
      });
      const double = engine.compile('double', () => {
        w.assign(tf.mul(w.tensor(), 2));
        return { first: tf.slice(w.tensor(), [0, 0], [1, 1]) };
      });
      const run = async (rows: number) => {
        const x = float32(new Float32Array(rows * size).fill(3), [rows, size]);
        return [...new Set((await product.run({ x }))['y'].data)];
      };
      const runAll = async () => [...(await run(1)), ...(await run(2)), ...(await run(1))];
      expect(await runAll()).toEqual([3, 3, 3]);
      await engine.write(w, diagonal(size, 5));
      expect(await runAll()).toEqual([15, 15, 15]);
      await double.run({});
      await double.run({});
      expect(await runAll()).toEqual([60, 60, 60]);
      await double.run({}, { commitIf: () => false });
      await engine.write(other, Float32Array.of(1));
      const { compilations } = engine.stats;
      expect(await runAll()).toEqual([60, 60, 60]);
      expect(engine.stats.compilations).toBe(compilations);
      await engine.dispose();
    },
  );

  it.each(['disabled', 'basic', 'extended', 'all'] as const)(
    'of several programs share weights, with optimization %s',
    async (optimization) => {
      const engine = new OnnxEngine({ threads: 1, optimization });
      const size = 24;
      const w = new State('w', [size, size], 'float32', () => diagonal(size, 2));
      const programs = [1, 2, 3].map((factor) =>
        engine.compile(
          `times ${factor}`,
          ({ x }) => ({ y: tf.mul(tf.matMul(x, w.tensor(), false, factor === 2), factor) }),
          { constantStates: true },
        ),
      );
      const x = float32(new Float32Array(3 * size).fill(1), [3, size]);
      for (const [i, program] of programs.entries()) {
        const { y } = await program.run({ x });
        expect(new Set(y.data)).toEqual(new Set([2 * (i + 1)]));
        if (i === 1) programs[0].dispose();
      }
      await engine.dispose();
    },
  );

  it('may assign a state they read', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const total = new State('total', [1]);
    const add = engine.compile(
      'add',
      ({ x }) => {
        total.assign(tf.add(total.tensor(), x));
        return { total: total.tensor() };
      },
      { constantStates: true },
    );
    await add.run({ x: float32([1], [1]) });
    expect([...(await add.run({ x: float32([2], [1]) }))['total'].data]).toEqual([3]);
    await engine.dispose();
  });
});
