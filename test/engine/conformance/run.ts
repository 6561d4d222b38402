// Runs one conformance case on an engine: value, and gradients of Σ value · weights.
import { expect } from 'vitest';
import {
  type Engine,
  type HostTensors,
  int32,
  State,
  type Tensors,
  tf,
  valueAndGrads,
} from '../../../src/engine/index.js';
import { CounterRandom } from '../../../src/random/index.js';
import type { Case } from './cases.js';

export interface CaseResult {
  readonly value: Float32Array;
  readonly gradients: Float32Array[];
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

export function inputValues(item: Case): Float32Array[] {
  return item.shapes.map((shape, k) =>
    Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(1.7 * i + 0.9 * k + 0.35) * 0.9),
  );
}

/** A fixed weighting makes the sum of outputs sensitive to each of them. */
const weights = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.cos(0.8 * i + 0.2));

export async function runCase(engine: Engine, item: Case, values: Float32Array[]): Promise<CaseResult> {
  const states = item.shapes.map((shape, k) => new State(`x${k}`, shape, 'float32', () => values[k].slice()));
  const ints: HostTensors = Object.fromEntries(
    (item.ints ?? []).map(({ shape, below }, k) => [
      `i${k}`,
      int32(
        Int32Array.from({ length: size(shape) }, (_, i) => (i * 7 + 3) % below),
        shape,
      ),
    ]),
  );
  const program = engine.compile(item.name, (inputs) => {
    const intTensors = (item.ints ?? []).map((_, k) => inputs[`i${k}`]);
    const xs = () => states.map((state) => state.tensor());
    if (item.gradient === false) return { value: item.fn(xs(), intTensors) };
    const outputs: Tensors = {};
    const { grads } = valueAndGrads(() => {
      const y = item.fn(xs(), intTensors);
      outputs['value'] = tf.keep(y);
      return tf.sum(tf.mul(y, tf.tensor(weights(y.size), y.shape)));
    }, states);
    for (const [k, grad] of grads.entries()) outputs[`g${k}`] = grad;
    return outputs;
  });
  const out = await program.run(ints, { random: new CounterRandom(11) });
  program.dispose();
  engine.release(states);
  return {
    value: Float32Array.from(out['value'].data),
    gradients: item.gradient === false ? [] : states.map((_, k) => Float32Array.from(out[`g${k}`].data)),
  };
}

/** Central differences of Σ value · weights, in the engine's arithmetic. */
export async function numericGradients(engine: Engine, item: Case): Promise<Float32Array[]> {
  const values = inputValues(item);
  const step = 2e-3;
  const loss = async (): Promise<number> => {
    const { value } = await runCase(engine, { ...item, gradient: false }, values);
    const w = weights(value.length);
    return value.reduce((sum, v, i) => sum + v * w[i], 0);
  };
  const gradients: Float32Array[] = [];
  for (const x of values) {
    const gradient = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) {
      const kept = x[i];
      x[i] = kept + step;
      const up = await loss();
      x[i] = kept - step;
      const down = await loss();
      x[i] = kept;
      gradient[i] = (up - down) / (2 * Math.fround(step));
    }
    gradients.push(gradient);
  }
  return gradients;
}

/** Every element within `tolerance` × (1 + |expected|). */
export function expectClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const worst = actual.reduce(
    (w, v, i) => Math.max(w, Math.abs(v - expected[i]) / (1 + Math.abs(expected[i]))),
    0,
  );
  expect(worst).toBeLessThan(tolerance);
}
