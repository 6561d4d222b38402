// How decided a distribution over tokens is, as a number from 0 (uniform) to 1 (certain), on the engine.
// The formulas are those of NeMo's confidence measures (Laptev & Ginsburg 2022, arXiv:2212.08703).
import { type Tensor, tf } from '../../../engine/index.js';
import type { ConfidenceMethod } from '../shared-config.js';

/**
 * logProbabilities [..., V] → [...]. `classes` is the V that the measure is normalised by: NeMo takes tokens and
 * blanks, also for the distribution over durations.
 */
export function confidence(logProbabilities: Tensor, classes: number, method: ConfidenceMethod): Tensor {
  const { name, entropy_type: entropy, entropy_norm: norm, alpha } = method;
  if (name === 'max_prob') return maxProb(logProbabilities, classes, alpha);
  // Every entropy with the power 1 is Shannon's.
  if (alpha === 1) return shannon[norm](logProbabilities, classes);
  return measures[entropy][norm](logProbabilities, classes, alpha);
}

const plus = (x: Tensor, n: number): Tensor => tf.add(x, tf.scalar(n));
const times = (x: Tensor, n: number): Tensor => tf.mul(x, tf.scalar(n));

function maxProb(x: Tensor, v: number, a: number): Tensor {
  const largestTerm = tf.exp(times(tf.max(x, -1), a));
  return times(plus(times(largestTerm, v ** a), -1), 1 / (v ** a - 1));
}

/** Σ p·log p */
const negativeEntropy = (x: Tensor): Tensor => tf.sum(tf.mul(tf.exp(x), x), -1);
/** Σ pᵃ */
const powerSum = (x: Tensor, a: number): Tensor => tf.sum(tf.exp(times(x, a)), -1);
/** Σ pᵃ·log p */
const powerEntropy = (x: Tensor, a: number): Tensor => tf.sum(tf.mul(tf.exp(times(x, a)), x), -1);

const shannon = {
  lin: (x: Tensor, v: number): Tensor => plus(times(negativeEntropy(x), 1 / Math.log(v)), 1),
  exp: (x: Tensor, v: number): Tensor => times(plus(times(tf.exp(negativeEntropy(x)), v), -1), 1 / (v - 1)),
};

/** (value - least) / (1 - least) */
const rescale = (value: Tensor, least: number): Tensor => times(plus(value, -least), 1 / (1 - least));

type Measure = (x: Tensor, v: number, a: number) => Tensor;

const measures: Readonly<Record<'gibbs' | 'tsallis' | 'renyi', Readonly<Record<'lin' | 'exp', Measure>>>> = {
  gibbs: {
    lin: (x, v, a) => plus(times(powerEntropy(x, a), 1 / (Math.log(v) * v ** (1 - a))), 1),
    exp: (x, v, a) => rescale(tf.exp(times(powerEntropy(x, a), a)), v ** (-a * v ** (1 - a))),
  },
  tsallis: {
    lin: (x, v, a) => plus(times(plus(times(powerSum(x, a), -1), 1), 1 / (v ** (1 - a) - 1)), 1),
    exp: (x, v, a) => {
      const least = Math.exp((1 - v ** (1 - a)) / (1 - a));
      return rescale(tf.exp(times(plus(times(powerSum(x, a), -1), 1), 1 / (1 - a))), least);
    },
  },
  renyi: {
    lin: (x, v, a) => plus(times(tf.log(powerSum(x, a)), 1 / ((a - 1) * Math.log(v))), 1),
    exp: (x, v, a) =>
      times(plus(times(tf.exp(times(tf.log(powerSum(x, a)), 1 / (a - 1))), v), -1), 1 / (v - 1)),
  },
};
