// What a step of AdamW takes for each parameter, in resident memory and CPU time, by both ways to ONNX Runtime: by the C API
// the update is written over the old values.
// Usage: for way in capi binding; do ANEMONE_ORT=$way npx tsx benchmarks/update-memory.ts; done   (Linux)
import { readFileSync } from 'node:fs';
import { float32, OnnxEngine, State, type Tensor, tf } from '../src/engine/index.js';

const MATRICES = 30;
const SIDE = 1024;
const WARM_UP = 3;
const STEPS = 10;

/** Largest resident memory so far, in bytes. */
function peak(): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

const statesNamed = (name: string): State[] =>
  Array.from({ length: MATRICES }, (_, i) => new State(`${name}${i}`, [SIDE, SIDE]));
const weights = statesNamed('weight');
const means = statesNamed('mean');
const squares = statesNamed('square');

function step(x: Tensor): Tensor {
  const grads = weights.map((weight) => tf.mul(tf.add(weight.tensor(), x), 0.5));
  const norm = tf.sqrt(
    grads.map((grad) => tf.sum(tf.square(grad))).reduce((sum, square) => tf.add(sum, square)),
  );
  for (const [i, weight] of weights.entries()) {
    const grad = tf.div(grads[i], norm);
    means[i].assign(tf.add(tf.mul(means[i].tensor(), 0.9), tf.mul(grad, 0.1)));
    squares[i].assign(tf.add(tf.mul(squares[i].tensor(), 0.99), tf.mul(tf.square(grad), 0.01)));
    const direction = tf.div(means[i].tensor(), tf.add(tf.sqrt(squares[i].tensor()), 1e-8));
    weight.assign(tf.sub(weight.tensor(), tf.mul(direction, 0.001)));
  }
  return norm;
}

const engine = new OnnxEngine({ threads: 2 });
const program = engine.compile('step', ({ x }) => ({ norm: step(x) }));
const inputs = { x: float32([1], [1]) };
const before = peak();
for (let i = 0; i < WARM_UP; i++) await program.run(inputs);
const started = process.cpuUsage();
for (let i = 0; i < STEPS; i++) await program.run(inputs);
const { user, system } = process.cpuUsage(started);
const taken = peak() - before;
console.log(
  `${process.env['ANEMONE_ORT'] ?? 'default'}: ${(taken / 2 ** 20).toFixed(0)} MB, ` +
    `${(taken / (MATRICES * SIDE * SIDE)).toFixed(1)} bytes a parameter, ` +
    `${((user + system) / 1000 / STEPS).toFixed(0)} ms of CPU a step`,
);
await engine.dispose();
