// The package's main face: what a training script needs. Everything else has a subpath of its own
// (anemone-ml/engine, anemone-ml/nn, anemone-ml/audio, …), so that importing one room does not load the house.
export * from './asr/index.js';
export { components, createDefaultContainer } from './composition.js';
export {
  type Config,
  type ConfigNode,
  configFromObject,
  configFromText,
  defineSchema,
  loadConfig,
  mergeConfigs,
  positionOf,
  resolveConfig,
  runWithConfig,
  toYaml,
  withOverrides,
} from './config/index.js';
export { type ComponentDescriptor, Container, component, defineKind, token } from './container/index.js';
export {
  type CreateEngineOptions,
  createEngine,
  type Engine,
  State,
  type Tensor,
  tf,
} from './engine/index.js';
export { AnemoneError, AnemoneErrors, type SourcePosition } from './errors/index.js';
export {
  Callback,
  Checkpoint,
  CheckpointCallback,
  EarlyStopping,
  EmaCallback,
  type EvaluationSettings,
  expManager,
  type FitResult,
  type MetricsLogger,
  restoreWeights,
  Trainer,
  type TrainerOptions,
} from './training/index.js';
