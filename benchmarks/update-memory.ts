// What a step of AdamW takes for each parameter, in resident memory and CPU time, and of how many nodes its graphs are: by
// both ways to ONNX Runtime, and with the update as one over all numbers (flat) or as one for each tensor.
// Usage: for way in capi binding; do for form in flat tensors; do ANEMONE_ORT=$way npx tsx benchmarks/update-memory.ts $form 120; done; done   (Linux)
// The last number is that of the weights, of 1024 × 1024 each (default 30).
import { readFileSync } from 'node:fs';
import { float32, OnnxEngine, State, type Tensor, tf, valueAndGrads } from '../src/engine/index.js';
import { runsHostCalls } from '../src/engine/onnx/open-session.js';
import { trace } from '../src/engine/onnx/trace.js';
import { Module } from '../src/nn/index.js';
import { clipByNorm, createOptimizer, globalNorm, type Slots } from '../src/optim/index.js';

const SIDE = 1024;
const ROWS = 8;
const WARM_UP = 3;
const STEPS = 15;

const form = process.argv[2] ?? 'flat';
const matrices = Number(process.argv[3] ?? 30);

/** Largest resident memory so far, in bytes. */
function peak(): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

class Matrices extends Module {
  readonly all = Array.from({ length: matrices }, (_, i) =>
    this.parameter(`weight${i}`, [SIDE, SIDE], () => new Float32Array(SIDE * SIDE).fill(1 / SIDE)),
  );
}

const weights = new Matrices().all;
const optimizer = createOptimizer({ name: 'adamw', lr: 0.001, weight_decay: 0.01 }, weights);
const [{ rule }] = optimizer.groups;
const slots: readonly Slots[] = weights.map(({ name, shape }) => ({
  exp_avg: new State(`mean/${name}`, shape),
  exp_avg_sq: new State(`square/${name}`, shape),
}));

function step({ x, ...scalars }: Record<string, Tensor>): Record<string, Tensor> {
  const loss = () => tf.mean(weights.reduce((y, weight) => tf.matMul(y, weight.tensor()), x));
  const { value, grads } = valueAndGrads(loss, weights);
  const norm = globalNorm(grads);
  const clipped = clipByNorm(grads, norm, 1);
  for (const [i, weight] of weights.entries()) {
    weight.assign(rule.apply(weight.tensor(), clipped[i], slots[i], scalars));
  }
  return { loss: value, norm };
}

// A number that is a matrix of one keeps an update from being one over vectors; its arithmetic is the same.
const shape = form === 'flat' ? [] : [1, 1];
const numbers = Object.entries(rule.scalars(1, 0.001)).map(([name, value]) => [
  name,
  float32([value], shape),
]);
const inputs = {
  x: float32(new Float32Array(ROWS * SIDE).fill(1), [ROWS, SIDE]),
  ...Object.fromEntries(numbers),
};
const engine = new OnnxEngine({ threads: 2 });
const small = engine.compile('small', ({ x }) => ({ y: tf.neg(x) }));
await small.run({ x: inputs.x });
const { segments, apply } = trace(step, inputs, { callsAreNodes: runsHostCalls('cpu') });
const nodes = [...segments, ...(apply ? [apply.graph, ...apply.flat.map(({ graph }) => graph)] : [])];
const program = engine.compile('step', step);
const before = peak();
for (let i = 0; i < WARM_UP; i++) await program.run(inputs);
const times = [];
for (let i = 0; i < STEPS; i++) {
  const started = process.cpuUsage();
  await program.run(inputs);
  const { user, system } = process.cpuUsage(started);
  times.push((user + system) / 1000);
}
const taken = peak() - before;
console.log(
  `${process.env['ANEMONE_ORT'] ?? 'default'}, ${form}: ${nodes.map((graph) => graph.nodes.length).join(' + ')} nodes, ` +
    `${(taken / 2 ** 20).toFixed(0)} MB, ${(taken / (matrices * SIDE * SIDE)).toFixed(1)} bytes a parameter, ` +
    `${Math.min(...times).toFixed(0)} ms of CPU in the fastest step, ${times.sort((a, b) => a - b)[STEPS >> 1].toFixed(0)} in half of them`,
);
await engine.dispose();
