// CTC as a brick: the loss of a classifier of frames.
import type { WeightedLoss } from '../../nn/index.js';
import { ctcCosts } from './ctc-loss.js';
import type { FrameLoss, FrameLossInput } from './loss-kinds.js';
import { type LossReduction, reducedLoss } from './reduction.js';
import type { LatticeImplementation } from './transducer-lattice.js';

/** How costs are computed and reduced. */
export interface CTCLossOptions {
  /** Default `mean_batch`. */
  readonly reduction?: LossReduction;
  /** Default `scan`. */
  readonly implementation?: LatticeImplementation;
  /** Utterances whose tokens do not fit their frames cost 0 instead of infinity. Default true. */
  readonly zeroInfinity?: boolean;
}

/** Connectionist temporal classification (Graves et al. 2006), NeMo's CTCLoss. */
export class CTCLoss implements FrameLoss {
  constructor(private readonly options: CTCLossOptions = {}) {}

  forward(input: FrameLossInput): WeightedLoss {
    const { reduction = 'mean_batch', implementation, zeroInfinity = true } = this.options;
    return reducedLoss(ctcCosts(input, { zeroInfinity, implementation }), input.tokens, reduction);
  }
}
