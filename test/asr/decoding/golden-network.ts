// What the comparisons of searches with NeMo share: formula weights with a bias of their own, and formula frames.
import { expect } from 'vitest';
import type { ProjectedFrames } from '../../../src/asr/decoding/greedy-transducer.js';
import type { HATJoint, RNNTJoint } from '../../../src/asr/index.js';
import { type Engine, float32, sizeOf, tf } from '../../../src/engine/index.js';
import type { Module } from '../../../src/nn/index.js';
import { formula } from '../golden.js';

/** `keys` are all of the module's, in order; embeddings have half of the formula, the padding row of them zeros. */
export async function writeWeights(
  engine: Engine,
  module: Module,
  keys: readonly string[],
  scale: number,
  bias: (key: string, i: number) => number = () => 0,
): Promise<void> {
  const states = module.stateDict();
  expect([...states.keys()].sort()).toEqual(keys);
  for (const [p, key] of keys.entries()) {
    const state = states.get(key)!;
    const size = sizeOf(state.shape);
    const factor = key.includes('.embed') ? 0.5 : scale;
    const isPadding = (i: number): boolean => key.includes('.embed') && i >= size - state.shape[1];
    const values = formula(size, (i) =>
      isPadding(i) ? 0 : factor * Math.sin(0.7 * i + 1.1 * p) + bias(key, i),
    );
    await engine.write(state, values);
  }
}

/** Two utterances of encoder output [2,D,T], after the joint's projection. */
export async function projected(
  engine: Engine,
  joint: RNNTJoint | HATJoint,
  { D, T, lengths }: { readonly D: number; readonly T: number; readonly lengths: number[] },
): Promise<ProjectedFrames> {
  const frames = formula(2 * D * T, (i) => 2 * Math.sin(0.41 * i + 0.1));
  const { out } = await engine
    .compile('encode', ({ x }) => ({ out: joint.projectEncoder(tf.transpose(x, [0, 2, 1])) }))
    .run({ x: float32(frames, [2, D, T]) });
  return { data: out.data as Float32Array, shape: out.shape, lengths };
}
