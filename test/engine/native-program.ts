// Run by native.test.ts in a process of its own, with --expose-gc: programs of changing shapes with host calls, values that
// nobody disposes of, and collections in between. Prints how memory went.
import { float32, hostCall, OnnxEngine, State, tf } from '../../src/engine/index.js';

const ROUNDS = 200;
const FIRST_CHECK = 50;
const collect = (globalThis as { gc?: () => void }).gc;

async function round(i: number): Promise<number> {
  const engine = new OnnxEngine({ threads: 1 + (i % 2) });
  const size = 16 + (i % 5);
  const total = new State('total', [size]);
  const program = engine.compile('step', ({ x }) => {
    const [y] = hostCall('twice', ([x]) => [{ ...x, data: Float32Array.from(x.data, (v) => 2 * v) }], [tf.add(x, 1)], [{ dtype: 'float32', shape: [size] }]); // biome-ignore format: short
    total.assign(tf.add(total.tensor(), y));
    return { sum: tf.sum(y) };
  });
  const weight = new State('weight', [size, size], 'float32', () => new Float32Array(size * size).fill(1));
  const product = engine.compile('product', ({ x }) => ({ y: tf.matMul(x, weight.tensor()) }), {
    constantStates: true,
  });
  let sum = 0;
  for (let k = 0; k < 3; k++) {
    const out = await program.run({ x: float32(new Float32Array(size).fill(k), [size]) });
    sum += out['sum'].data[0];
    const { y } = await product.run({ x: float32(new Float32Array((k + 1) * size).fill(1), [k + 1, size]) });
    if (y.data.some((value) => value !== size * (k + 1))) throw new Error(`round ${i}: ${y.data[0]}`);
    await engine.write(weight, new Float32Array(size * size).fill(k + 2), true);
    if (i % 7 === 0) collect?.();
  }
  // Every third engine is left to the collector.
  if (i % 3 !== 0) await engine.dispose();
  return sum / size;
}

const checks: number[] = [];
for (let i = 0; i < ROUNDS; i++) {
  const mean = await round(i);
  if (mean !== 12) throw new Error(`round ${i}: ${mean}`);
  if (i >= FIRST_CHECK && i % 50 === 0) {
    collect?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect?.();
    checks.push(process.memoryUsage.rss());
  }
}
console.log(JSON.stringify(checks));
