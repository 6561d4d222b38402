// The GPT that the benchmarks time: GPT-2's layers, on the library's own parts.
import { type Engine, float32, int32, type Tensors, tf } from '../../src/engine/index.js';
import { LanguageNetwork } from '../../src/lm/network.js';
import type { Batch, StepOutput, TrainableModel } from '../../src/model/index.js';
import type { Pass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import type { Precision } from '../../src/training/precision.js';

export interface GptSizes {
  readonly threads: number;
  readonly layers: number;
  readonly d: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly length: number;
  readonly batch: number;
  /** Steps that are timed together. Default 1. */
  readonly steps?: number;
  /** Whether layers are computed again for the gradient. Default no. */
  readonly checkpoint?: 'full' | 'selective' | 'blocks';
  /** Default 32-true. */
  readonly precision?: Precision;
}

/** GPT-2 of these sizes; dropout is off, as in the peer. */
export function gpt(sizes: GptSizes): LanguageNetwork {
  const { layers, d, heads, vocabulary, length } = sizes;
  return new LanguageNetwork(
    {
      layers,
      width: d,
      inner: 4 * d,
      heads,
      groups: heads,
      headSize: d / heads,
      activation: 'gelu_tanh',
      norm: 'layernorm',
      epsilon: 1e-5,
      bias: true,
      positions: length,
      initStd: 0.02,
      scalesInit: true,
      vocabulary,
      learnsPositions: true,
      tiesHead: true,
    },
    'legacy',
    { activations_checkpoint_granularity: sizes.checkpoint ?? null },
  );
}

/** What the Trainer's step needs of it. */
export function trainable(network: LanguageNetwork): TrainableModel {
  const none = async () => [];
  return {
    module: network,
    config: {},
    trainingSource: async () => undefined,
    validationSources: none,
    testSources: none,
    artifacts: async () => new Map(),
    evaluator: (_engine: Engine) => {
      throw new Error('the benchmark evaluates nothing');
    },
    trainingStep: ({ tokens, labels, lossMask }: Tensors, pass: Pass): StepOutput => {
      const total = tf.sum(lossMask);
      return { loss: tf.div(network.loss({ tokens }, labels, lossMask, pass), total), weight: total };
    },
  };
}

/** Tokens of a linear congruential generator, the rarer the larger, as the peer draws them. */
export function tokenBatch({ batch, length, vocabulary }: GptSizes, seed = 1): Batch {
  const random = new CounterRandom(seed);
  const draw = (i: number) => Math.floor(random.uniform(i) ** 2 * vocabulary);
  const text = Array.from({ length: batch * (length + 1) }, (_, i) => draw(i));
  const rows = (first: number) =>
    Int32Array.from({ length: batch * length }, (_, i) => text[Math.floor(i / length) * (length + 1) + (i % length) + first]); // biome-ignore format: one call
  return {
    inputs: {
      tokens: int32(rows(0), [batch, length]),
      labels: int32(rows(1), [batch, length]),
      lossMask: float32(new Float32Array(batch * length).fill(1), [batch, length]),
    },
    size: batch,
    units: batch * length,
    names: Array.from({ length: batch }, (_, i) => `noise ${i}`),
  };
}
