// The transducer losses of given logits. Models use the joint's `picks`, which never holds all logits at
// once; this form serves tests and small custom models.
import type { Tensor } from '../../engine/index.js';
import { plainRnnt, type TransducerVariant } from '../decoders/transducer-variant.js';
import { picksOfLogits, variantHeads } from '../decoders/variant-heads.js';
import { type LossReduction, reduceCosts } from './reduction.js';
import type { LatticeOptions } from './transducer-lattice.js';
import { type VariantLossOptions, variantCosts } from './variant-costs.js';

/** A batch of utterances with their targets. */
export interface RnntLossInput {
  /** [B,T,U+1,K], not normalised. */
  readonly logits: Tensor;
  /** int32 [B,U] */
  readonly targets: Tensor;
  readonly frames: Tensor;
  readonly tokens: Tensor;
  /** Index of blank. */
  readonly blank: number;
}

/** Loss of Graves 2012 after `reduction`; see `reduceCosts`. Any output may be the blank. */
export function rnntLoss(
  input: RnntLossInput,
  reduction: LossReduction,
  options: LatticeOptions = {},
): Tensor {
  const heads = [{ size: input.logits.shape[3]!, arcs: [input.blank, 'label'] as const }];
  const picks = picksOfLogits(input.logits, input.targets, heads);
  return reduceCosts(variantCosts({ ...input, picks }, plainRnnt, options), input.tokens, reduction);
}

/** A batch of utterances with their targets, for any variant. */
export interface TransducerLossInput extends Omit<RnntLossInput, 'blank'> {
  /** Number of tokens V; blanks and durations follow them as in `OutputLayout`. */
  readonly vocabulary: number;
}

/** The loss of any variant: plain RNN-T, multi-blank, TDT. */
export function transducerLoss(
  input: TransducerLossInput,
  variant: TransducerVariant,
  reduction: LossReduction,
  options: VariantLossOptions = {},
): Tensor {
  const picks = picksOfLogits(input.logits, input.targets, variantHeads(variant, input.vocabulary));
  return reduceCosts(variantCosts({ ...input, picks }, variant, options), input.tokens, reduction);
}
