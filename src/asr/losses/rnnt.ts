// The losses of transducers as a brick: RNN-T, multi-blank, TDT.
import type { Pass, WeightedLoss } from '../../nn/index.js';
import type { TransducerVariant } from '../decoders/transducer-variant.js';
import type { TransducerLattice, TransducerLoss } from './loss-kinds.js';
import { type LossReduction, reducedLoss } from './reduction.js';
import type { LatticeImplementation } from './transducer-lattice.js';
import { variantCosts } from './variant-costs.js';

/** The keys of NeMo's loss sections, checked, whatever the variant. */
export interface RnntLossConfig {
  /** What the loss trains the joint's outputs to be; undefined: what `model.decoding` says. */
  readonly variant: TransducerVariant | undefined;
  readonly fastEmit: number;
  readonly clamp: number;
  readonly sigma: number;
  readonly omega: number;
  readonly implementation: LatticeImplementation;
}

/** NeMo's RNNTLoss. */
export class RNNTLoss implements TransducerLoss {
  readonly variant: TransducerVariant | undefined;
  readonly clamp: number;

  constructor(
    private readonly config: RnntLossConfig,
    private readonly reduction: LossReduction,
  ) {
    this.variant = config.variant;
    this.clamp = config.clamp;
  }

  forward(lattice: TransducerLattice, pass: Pass): WeightedLoss {
    // Evaluation is not random: omega takes its share of training batches only.
    const omega = pass.training ? this.config.omega : 0;
    const costs = variantCosts(lattice, lattice.variant, { ...this.config, omega });
    return reducedLoss(costs, lattice.tokens, this.reduction);
  }
}
