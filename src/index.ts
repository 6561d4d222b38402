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
export {
  type BuildContext,
  CONFIG_WARNINGS,
  type ComponentDescriptor,
  Container,
  component,
  defineKind,
  inject,
  LOG,
  READ_FILE,
  SEED,
  token,
} from './container/index.js';
export {
  type CreateEngineOptions,
  createEngine,
  ENGINE,
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
  PROGRESS_VIEW,
  type ProgressView,
  RUN_FOLDER,
  restoreWeights,
  Trainer,
  type TrainerOptions,
} from './training/index.js';
