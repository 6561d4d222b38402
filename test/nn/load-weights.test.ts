import { afterAll, describe, expect, it } from 'vitest';
import { OnnxEngine, State, tf } from '../../src/engine/index.js';
import type { SafeTensor } from '../../src/formats/index.js';
import { loadWeights, type WeightSource } from '../../src/nn/index.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

const state = (name: string) => new State(name, [4]);

/** A file read whole into one memory; the numbers of `b` are those of `a`, `c` has half of them. */
function resident(): { weights: WeightSource; memory: Float32Array } {
  const memory = Float32Array.from({ length: 12 }, (_, i) => i);
  const places: Record<string, number> = { a: 0, b: 0, c: 2, d: 8 };
  const read = async (name: string): Promise<SafeTensor> => {
    return { dtype: 'F32', shape: [4], data: memory.subarray(places[name], places[name] + 4) };
  };
  const entries = new Map(Object.keys(places).map((name) => [name, { dtype: 'F32' as const, shape: [4] }]));
  return { weights: { name: 'file', entries, read, resident: true }, memory };
}

describe('loadWeights from a file that stays in memory', () => {
  it('leaves the numbers where they are, but lets no two states share them', async () => {
    const { weights, memory } = resident();
    const states = ['d', 'b', 'a', 'c'].map(state);
    await loadWeights(states, weights, engine);
    const values = async () => Promise.all(states.map(async (s) => Array.from(await engine.read(s))));
    expect(await values()).toEqual([
      [8, 9, 10, 11],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [2, 3, 4, 5],
    ]);
    // Runs that write states use the memory of the value before last.
    const step = engine.compile('step', () => {
      for (const [i, s] of states.entries()) s.assign(tf.add(s.tensor(), tf.scalar(10 ** i)));
      return {};
    });
    for (let i = 0; i < 3; i++) await step.run({});
    step.dispose();
    expect(await values()).toEqual([
      [11, 12, 13, 14],
      [30, 31, 32, 33],
      [300, 301, 302, 303],
      [3002, 3003, 3004, 3005],
    ]);
    expect(Array.from(memory)).not.toEqual(Array.from({ length: 12 }, (_, i) => i));
  });
});
