import { afterAll, describe, expect, it } from 'vitest';
import { float32, OnnxEngine, State, tf } from '../../src/engine/index.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

describe('programs with constant states', () => {
  it('notice every change of a state, written or assigned, and compile again only then', async () => {
    const w = new State('w', [2, 2], 'float32', () => Float32Array.of(1, 0, 0, 1));
    const other = new State('other', [1]);
    const product = engine.compile('product', ({ x }) => ({ y: tf.matMul(x, w.tensor()) }), {
      constantStates: true,
    });
    const double = engine.compile('double', () => {
      w.assign(tf.mul(w.tensor(), 2));
      return { w: w.tensor() };
    });
    const run = async () => [...(await product.run({ x: float32([3, 5], [1, 2]) }))['y'].data];
    expect(await run()).toEqual([3, 5]);
    await engine.write(w, Float32Array.of(0, 1, 1, 0));
    expect(await run()).toEqual([5, 3]);
    await double.run({});
    expect(await run()).toEqual([10, 6]);
    await double.run({}, { commitIf: () => false });
    await engine.write(other, Float32Array.of(1));
    const { compilations } = engine.stats;
    expect(await run()).toEqual([10, 6]);
    expect(engine.stats.compilations).toBe(compilations);
  });

  it('may assign a state they read', async () => {
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
  });
});
