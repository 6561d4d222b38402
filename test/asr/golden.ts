// Reads the golden files: their arrays, their formula inputs and their formula weights.
import { readFileSync } from 'node:fs';
import { type Engine, sizeOf } from '../../src/engine/index.js';
import type { Module } from '../../src/nn/index.js';

export interface GoldenArray {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), 'utf8')) as T;
}

/** float32 of f(0), f(1), … */
export function formula(size: number, f: (i: number) => number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => f(i));
}

/** Writes the formula weights of the golden files into a component whose path in the model is `prefix`. */
export async function writeFormulaWeights(
  engine: Engine,
  module: Module,
  keys: readonly string[],
): Promise<void> {
  const states = module.stateDict();
  for (const [p, key] of keys.entries()) {
    const state = states.get(key);
    if (!state) throw new Error(`no state ${key}; have ${[...states.keys()].join(', ')}`);
    const s = (i: number): number => Math.sin(0.7 * i + 1.1 * p);
    const size = sizeOf(state.shape);
    if (key.endsWith('num_batches_tracked')) continue;
    await engine.write(state, formula(size, weightFormula(key, s, size, state.shape)));
  }
}

function weightFormula(
  key: string,
  s: (i: number) => number,
  size: number,
  shape: readonly number[],
): (i: number) => number {
  if (key.endsWith('running_var')) return (i) => 1 + 0.5 * Math.abs(s(i));
  if (key.endsWith('running_mean')) return (i) => 0.1 * s(i);
  if (key.includes('norm') && key.endsWith('weight')) return (i) => 1 + 0.1 * s(i);
  if (key.endsWith('embed.weight')) return (i) => (i >= size - shape[1] ? 0 : 0.5 * s(i));
  return (i) => 0.3 * s(i);
}
