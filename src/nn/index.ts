export {
  type CheckpointConfig,
  checkpointFields,
  checkpointsOf,
  LayerCheckpoints,
  refineCheckpoints,
  type StackLayer,
  type StackOptions,
  type StackState,
  undecidedCheckpoints,
} from './checkpointing.js';
export { within } from './extent.js';
export * from './initializers.js';
export * from './layers/index.js';
export {
  type LoadReport,
  type LoadWeightsOptions,
  loadWeights,
  type WeightSource,
} from './load-weights.js';
export { smoothedCrossEntropy } from './losses/cross-entropy.js';
export {
  SmoothedCrossEntropyLoss,
  type TokenLoss,
  type TokenLossInput,
  tokenLossKind,
} from './losses/token-loss.js';
export { tokenLosses, type VocabularyLossOptions, vocabularyLoss } from './losses/vocabulary-loss.js';
export {
  addLosses,
  type CountedWeight,
  type LossTerm,
  type LossWeight,
  scaleLoss,
  type WeightedLoss,
  weightedLoss,
} from './losses/weighted-loss.js';
export { namingParts } from './memory/naming-parts.js';
export { Module } from './module.js';
export { namePattern } from './name-pattern.js';
export { Buffer, joinPath, Parameter, type ReadState, type Running, valueOwner } from './parameter.js';
export { type Extent, evaluationPass, type Pass, trainingPass } from './pass.js';
export { productWithStandIn, QuantizedWeights } from './quantized-weights.js';
export { block, type CheckpointedPart, checkpoint, recomputeCheaply } from './recompute.js';
