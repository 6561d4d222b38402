// How the losses of the batches of one step become one loss. As one large batch: every sum in the loss is divided once, by
// the weight of all batches together. As a mean of batches: each counts alike, whatever is in it, as in Lightning.
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { lossParts, type StepOutput, totalWeight } from '../../model/index.js';
import type { LossWeight } from '../../nn/index.js';

export type Accumulation = 'large_batch' | 'mean_of_batches';

/** What a batch's loss is divided by, by unit. */
export type UnitWeights = Readonly<Record<string, number>>;

/** A step's output of which each batch counts 1, and one that nothing counts in 0. */
export function countingAlike(step: StepOutput): StepOutput {
  const weights = lossParts(step).map(({ weight }) =>
    typeof weight === 'string' ? tf.scalar(1) : weight.count,
  );
  const counts = tf.greater(
    weights.reduce((sum, weight) => tf.add(sum, weight)),
    tf.scalar(0),
  );
  return { loss: step.loss, ...(step.logs && { logs: step.logs }), weight: tf.cast(counts, 'float32') };
}

/**
 * The sum behind the loss, a scalar; its gradients are added up. Sums of several weights become one by `ratioOf`.
 * @param examples scalar
 * @param ratioOf scalar, for a unit: what `weightRatios` says
 */
export function summedLoss(
  step: StepOutput,
  examples: Tensor,
  ratioOf: (unit: string) => Tensor | undefined,
): Tensor {
  const sums = lossParts(step).map(({ unit, value, weight }) => {
    const sum = weight === 'undivided' ? value : tf.mul(value, countOf(weight, examples));
    const ratio = ratioOf(unit);
    return ratio ? tf.mul(sum, ratio) : sum;
  });
  return sums.reduce((total, sum) => tf.add(total, sum));
}

/**
 * A batch's weights by these units; of examples, and of what is not divided, every batch of `size` has them.
 * @throws AnemoneError `training.loss-weight` where the model does not say one before it trains on the batch
 */
export function weightsBy(units: readonly string[], countedWeights: UnitWeights, size: number): UnitWeights {
  const allWeights: UnitWeights = { examples: size, undivided: 1, ...countedWeights };
  const missingUnit = units.find((unit) => allWeights[unit] === undefined);
  if (missingUnit === undefined) return Object.fromEntries(units.map((unit) => [unit, allWeights[unit]]));
  throw new AnemoneError({
    code: 'training.loss-weight',
    message: `in training the loss has a term divided by "${missingUnit}", in evaluation it has none`,
    hint: 'give trainingStep the same weights in both, or use trainer.accumulation=mean_of_batches',
  });
}

/** A unit that the whole sum is divided by, and by how much the sums of each unit have to be multiplied for it. */
export interface WeightRatios {
  readonly reference: string;
  readonly ratios: UnitWeights;
}

/** @param weights of all batches of a step */
export function weightRatios(weights: readonly UnitWeights[]): WeightRatios {
  const units = Object.keys(weights[0] ?? {});
  const totals = units.map((unit) => [unit, unitTotal(weights, unit)] as const);
  const [reference, most] = totals.find(([, total]) => total > 0) ?? totals[0];
  const ratios = totals.map(([unit, total]) => [unit, total > 0 ? most / total : 0]);
  return { reference, ratios: Object.fromEntries(ratios) as UnitWeights };
}

export function unitTotal(weights: readonly UnitWeights[], unit: string): number {
  return totalWeight(
    unit,
    weights.map((batch) => batch[unit]),
  );
}

function countOf(weight: Exclude<LossWeight, 'undivided'>, examples: Tensor): Tensor {
  return weight === 'examples' ? examples : weight.count;
}
