import { describe, expect, it } from 'vitest';
import {
  bernoulliMask,
  createReferenceEngine,
  float32,
  State,
  scan,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';

describe('reference engine', () => {
  it('runs a program that reads and assigns states', async () => {
    const engine = createReferenceEngine();
    const total = new State('total', [2]);
    const program = engine.compile('add', ({ x }) => {
      total.assign(tf.add(total.tensor(), x));
      return { total: total.tensor() };
    });
    await program.run({ x: float32([1, 2], [2]) });
    const out = await program.run({ x: float32([1, 2], [2]) });
    expect([...out['total'].data]).toEqual([2, 4]);
    await program.run({ x: float32([1, 2], [2]) }, { commitIf: () => false });
    expect([...(await engine.read(total))]).toEqual([2, 4]);
  });

  it('differentiates with respect to states', async () => {
    const engine = createReferenceEngine();
    const w = new State('w', [2], 'float32', () => Float32Array.of(3, 5));
    const program = engine.compile('loss', ({ x }) => {
      const { value, grads } = valueAndGrads(() => tf.sum(tf.mul(tf.square(w.tensor()), x)), [w]);
      return { value, grad: grads[0] };
    });
    const out = await program.run({ x: float32([1, 2], [2]) });
    expect(out['value'].data[0]).toBeCloseTo(59);
    expect([...out['grad'].data]).toEqual([6, 20]);
  });

  it('scans in both directions', async () => {
    const engine = createReferenceEngine();
    const program = engine.compile('scan', ({ x }) => {
      const body = ([c]: tf.Tensor[], [v]: tf.Tensor[]) => ({ carry: [tf.add(c, v)], ys: [tf.add(c, v)] });
      const forward = scan(body, [tf.scalar(0)], [x]);
      const backward = scan(body, [tf.scalar(0)], [x], { reverse: true });
      return { forward: forward.ys[0], backward: backward.ys[0] };
    });
    const out = await program.run({ x: float32([1, 2, 3], [3]) });
    expect([...out['forward'].data]).toEqual([1, 3, 6]);
    expect([...out['backward'].data]).toEqual([6, 5, 3]);
  });

  it('draws masks with the asked probability, independent across rows and columns', async () => {
    const engine = createReferenceEngine();
    const program = engine.compile('mask', () => ({ mask: bernoulliMask([400, 300], 0.9) }));
    const out = await program.run({}, { random: new CounterRandom(1) });
    const mask = out['mask'].data as Uint8Array;
    const mean = mask.reduce((a, b) => a + b, 0) / mask.length;
    expect(Math.abs(mean - 0.9)).toBeLessThan(0.005);
    // Over 2x2 rectangles the number of zeros has the binomial variance: no product structure shows.
    let zeros = 0;
    let squares = 0;
    let rectangles = 0;
    for (let i = 0; i + 1 < 400; i += 2) {
      for (let j = 0; j + 1 < 300; j += 2) {
        const count =
          4 - mask[i * 300 + j] - mask[i * 300 + j + 1] - mask[i * 300 + 300 + j] - mask[i * 300 + 301 + j];
        zeros += count;
        squares += count * count;
        rectangles++;
      }
    }
    const variance = squares / rectangles - (zeros / rectangles) ** 2;
    expect(Math.abs(variance - 0.36)).toBeLessThan(0.02);
    const again = await program.run({}, { random: new CounterRandom(1) });
    expect(again['mask'].data).toEqual(mask);
  });
});
