// Helpers of the layer tests: run ops on the reference engine, compare gradients with finite differences.

import type { HostTensor } from '../../src/engine/index.js';
import { createReferenceEngine, type Engine, float32, type Tensor, tf } from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';

export function randomTensor(shape: readonly number[], seed: number, scale = 1): HostTensor {
  const random = new CounterRandom(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return float32(
    Float32Array.from({ length: size }, (_, i) => random.normal(i) * scale),
    shape,
  );
}

/** Runs `fn` once on the reference engine; the same random key each time. */
export async function evaluate(
  fn: (inputs: Record<string, Tensor>) => Record<string, Tensor>,
  inputs: Record<string, HostTensor>,
  engine: Engine = createReferenceEngine(),
): Promise<Record<string, HostTensor>> {
  return engine.compile('test', fn).run(inputs, { random: new CounterRandom(7) });
}

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/**
 * Largest relative difference between the gradients of Σ weights·fn(inputs) by autodiff and by central
 * differences, over (a sample of) the elements of every input.
 */
export async function gradientError(
  fn: (inputs: Record<string, Tensor>) => Tensor,
  inputs: Record<string, HostTensor>,
  options: { step?: number; samples?: number; constant?: Record<string, HostTensor> } = {},
): Promise<number> {
  const engine = createReferenceEngine();
  const step = options.step ?? 1e-2;
  const names = Object.keys(inputs);
  const loss = (tensors: Record<string, Tensor>): Tensor => {
    const y = fn(tensors);
    const random = new CounterRandom(99);
    const weights = Float32Array.from({ length: y.size }, (_, i) => random.normal(i));
    return tf.sum(tf.mul(y, tf.tensor(weights, y.shape)));
  };
  const analytic = engine.compile('analytic', (all) => {
    const gradients = tf.grads((...xs: Tensor[]) =>
      loss({ ...all, ...Object.fromEntries(names.map((name, i) => [name, xs[i]])) }),
    )(names.map((name) => all[name]));
    return Object.fromEntries(names.map((name, i) => [name, gradients[i]]));
  });
  const value = engine.compile('value', (all) => ({ loss: loss(all) }));
  const random = { random: new CounterRandom(7) };
  const everything = { ...inputs, ...options.constant };
  const gradients = await analytic.run(everything, random);
  let worst = 0;
  for (const name of names) {
    const { data, shape } = inputs[name];
    const stride = Math.max(1, Math.floor(data.length / (options.samples ?? 25)));
    for (let i = 0; i < data.length; i += stride) {
      const at = async (delta: number): Promise<number> => {
        const moved = Float32Array.from(data);
        moved[i] += delta;
        const out = await value.run({ ...everything, [name]: float32(moved, shape) }, random);
        return out['loss'].data[0];
      };
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step);
      const difference = Math.abs(numeric - gradients[name].data[i]);
      worst = Math.max(worst, difference / Math.max(1, Math.abs(numeric)));
    }
  }
  return worst;
}
