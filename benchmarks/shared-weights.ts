// What weights take in memory that several compiled signatures hold as constants, as those of a decoding step: by the C API all
// of them use the states' own memory, and one packed copy.
// Usage: for way in capi binding; do ANEMONE_ORT=$way npx tsx benchmarks/shared-weights.ts [MATRICES] [SESSIONS]; done   (Linux)
// A matrix has 16 MiB: 12 of them (the default) are 192 MiB, 160 are more than a model of ONNX holds.
import { readFileSync } from 'node:fs';
import { float32, OnnxEngine, State, tf } from '../src/engine/index.js';

const SIDE = 2048;
const [matrices = 12, sessions = 4] = process.argv.slice(2).map(Number);

/** Resident memory now and at most so far, in MB. */
function memory(): { readonly now: number; readonly most: number } {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (key: string) => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
}

/** Rows that keep a vector of ones: each has 2 at one place. */
function doubled(shift: number): Float32Array {
  const values = new Float32Array(SIDE * SIDE).fill(1 / SIDE);
  values[shift] += 1e-6;
  return values;
}

const weights = Array.from(
  { length: matrices },
  (_, i) => new State(`weight${i}`, [SIDE, SIDE], 'float32', () => doubled(i)),
);
const engine = new OnnxEngine({ threads: 2 });
for (const weight of weights) await engine.write(weight, weight.initialValue(), true);
const product = engine.compile(
  'product',
  ({ x }) => ({ y: weights.reduce((y, weight) => tf.matMul(y, weight.tensor()), x) }),
  { constantStates: true },
);
const before = memory();
const started = performance.now();
const run = (rows: number) =>
  product.run({ x: float32(new Float32Array(rows * SIDE).fill(1), [rows, SIDE]) });
for (let rows = 1; rows <= sessions; rows++) await run(rows);
const made = performance.now() - started;
const times: number[] = [];
for (let i = 0; i < 10; i++) {
  const begun = performance.now();
  await run(1);
  times.push(performance.now() - begun);
}
const after = memory();
console.log(
  `${process.env['ANEMONE_ORT'] ?? 'default'}: ${matrices * 16} MiB of weights, ${sessions} signatures: ` +
    `${before.now.toFixed(0)} MB before, ${after.now.toFixed(0)} after, ${after.most.toFixed(0)} at most; ` +
    `made in ${made.toFixed(0)} ms, a run of one row ${Math.min(...times).toFixed(1)} ms`,
);
await engine.dispose();
