// Losses that know what their sums were divided by. The loss of one large batch follows from those of its parts then:
// sums and weights are added, and the sum is divided once.
import { type Tensor, tf } from '../../engine/index.js';

/** A count of things that a loss is the mean over. */
export interface CountedWeight {
  /** What is counted, in a word: `tokens`, `frames`. Within a step, one unit has one count. */
  readonly unit: string;
  /** Scalar. It depends on the inputs of the step alone, not on parameters and not on chance. */
  readonly count: Tensor;
}

/**
 * What the sum behind a loss was divided by. `examples`: their number in the batch, which the caller of the step knows.
 * `undivided`: nothing, the loss is the sum itself, and several are added.
 */
export type LossWeight = 'examples' | 'undivided' | CountedWeight;

/** One mean (or sum) in a loss, of which it has `share` times `value`. */
export interface LossTerm {
  /** Scalar. Finite, also where its weight is 0 and it counts for nothing: divide by `tf.maximum(weight, 1)`. */
  readonly value: Tensor;
  readonly share: number;
  readonly weight: LossWeight;
}

/** A scalar with the terms that it is made of: `value` is the sum over them of `share` times `value`. */
export interface WeightedLoss {
  readonly value: Tensor;
  readonly terms: readonly LossTerm[];
}

/** value [] with what its sum was divided by. */
export function weightedLoss(value: Tensor, weight: LossWeight): WeightedLoss {
  return { value, terms: [{ value, share: 1, weight }] };
}

/** `share` times a loss. */
export function scaleLoss({ value, terms }: WeightedLoss, share: number): WeightedLoss {
  return {
    value: tf.mul(value, tf.scalar(share)),
    terms: terms.map((term) => ({ ...term, share: share * term.share })),
  };
}

/** The sum of two losses; each keeps the terms and weights it is made of. */
export function addLosses(a: WeightedLoss, b: WeightedLoss): WeightedLoss {
  return { value: tf.add(a.value, b.value), terms: [...a.terms, ...b.terms] };
}
