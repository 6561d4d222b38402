export { type Arc, type ArcLatticeInput, type ArcLatticeOptions, arcLatticeCosts } from './arc-lattice.js';
export { lossComponents } from './config.js';
export { CTCLoss, type CTCLossOptions } from './ctc.js';
export { type CtcInput, type CtcOptions, ctcCosts } from './ctc-loss.js';
export {
  type FrameLoss,
  type FrameLossInput,
  frameLossKind,
  type TransducerLattice,
  type TransducerLoss,
  transducerLossKind,
} from './loss-kinds.js';
export { type LossReduction, reduceCosts, reducedLoss, reductionWeight } from './reduction.js';
export { RNNTLoss, type RnntLossConfig } from './rnnt.js';
export { type RnntLossInput, rnntLoss, type TransducerLossInput, transducerLoss } from './rnnt-loss.js';
export {
  type LatticeImplementation,
  type LatticeInput,
  type LatticeOptions,
  transducerCosts,
} from './transducer-lattice.js';
export { type LatticePosteriors, type LatticeView, latticePosteriors } from './transducer-lattice-host.js';
export { type VariantLossOptions, variantArcs, variantCosts } from './variant-costs.js';
