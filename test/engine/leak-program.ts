// Run by leak.test.ts in a process of its own: a small training program, many steps over several batch shapes,
// more than the program may keep compiled. Prints what the process and tfjs hold at checkpoints.
import { float32, OnnxEngine, State, tf, valueAndGrads } from '../../src/engine/index.js';

const STEPS = 600;
const FIRST_CHECK = 100;
const WIDTH = 64;

const engine = new OnnxEngine({ threads: 1 });
const weight = new State('w', [WIDTH, WIDTH], 'float32', () =>
  Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Math.sin(i) / 8),
);
const moment = new State('m', [WIDTH, WIDTH]);

const step = engine.compile(
  'step',
  ({ x }) => {
    const { value, grads } = valueAndGrads(
      () => tf.mean(tf.square(tf.tanh(tf.matMul(x as tf.Tensor2D, weight.tensor() as tf.Tensor2D)))),
      [weight],
    );
    moment.assign(tf.add(tf.mul(moment.tensor(), 0.9), grads[0]));
    weight.assign(tf.sub(weight.tensor(), tf.mul(moment.tensor(), 0.01)));
    return { loss: value };
  },
  { maxSignatures: 4 },
);

const checks: { step: number; rss: number; tensors: number }[] = [];
for (let i = 1; i <= STEPS; i++) {
  // Mostly two shapes; now and then a fifth or sixth one, so that compiled signatures are evicted as well.
  const rows = i % 50 === 0 ? 20 + ((i / 50) % 6) : 8 + (i % 2) * 4;
  await step.run({ x: float32(new Float32Array(rows * WIDTH).fill(i / STEPS), [rows, WIDTH]) });
  if (i % FIRST_CHECK === 0) {
    globalThis.gc?.();
    checks.push({ step: i, rss: process.memoryUsage().rss, tensors: tf.memory().numTensors });
  }
}
console.log(JSON.stringify({ checks, evictions: engine.stats.evictions }));
await engine.dispose();
