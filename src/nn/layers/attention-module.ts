// What all kinds of attention have in common.
import type { Tensor } from '../../engine/index.js';
import { Module } from '../module.js';
import type { Pass } from '../pass.js';
import { checkpoint } from '../recompute.js';

/** Attention of any kind: the weights over the keys are its largest tensor, and cheap to compute again. */
export abstract class Attention extends Module {
  /**
   * The weights are computed again for the gradient; queries, keys and values are kept. (Megatron's selective
   * recomputation: Korthikanti et al. 2022.) Default false.
   */
  recomputesWeights = false;

  /** `look` of queries, keys, values and what else it takes of outside; whatever it makes on the way may be made twice. */
  protected look(look: (inputs: Tensor[]) => Tensor, inputs: readonly Tensor[], pass: Pass): Tensor {
    if (!this.recomputesWeights) return look([...inputs]);
    return checkpoint((inputs) => [look(inputs)], inputs, pass)[0];
  }
}
