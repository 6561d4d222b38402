// Initial values of parameters, PyTorch's conventions.
import type { CounterRandom } from '../random/index.js';

/**
 * Makes the initial values of a parameter, row-major. They depend on `shape` and the parameter's own stream alone.
 */
export type Initializer = (shape: readonly number[], random: CounterRandom) => Float32Array;

function filled(shape: readonly number[], value: (i: number) => number): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) data[i] = value(i);
  return data;
}

/** All elements are 0. */
export const zeros: Initializer = (shape) => filled(shape, () => 0);
/** All elements are 1. */
export const ones: Initializer = (shape) => filled(shape, () => 1);

/** All elements are `value`. */
export function constant(value: number): Initializer {
  return (shape) => filled(shape, () => value);
}

/** U(-bound, bound). */
export function uniform(bound: number): Initializer {
  return (shape, random) => filled(shape, (i) => (2 * random.uniform(i) - 1) * bound);
}

/** N(0, std²). */
export function normal(std: number): Initializer {
  return (shape, random) => filled(shape, (i) => random.normal(i) * std);
}

/** PyTorch's default for Linear and Conv weights and biases: U(±1/√fanIn). */
export function fanInUniform(fanIn: number): Initializer {
  return uniform(1 / Math.sqrt(fanIn));
}

/** Xavier/Glorot uniform with the given fans. */
export function xavierUniform(fanIn: number, fanOut: number): Initializer {
  return uniform(Math.sqrt(6 / (fanIn + fanOut)));
}
