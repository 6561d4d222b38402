export {
  Callback,
  monitored,
  type Outcome,
  type StepReport,
  type TrainingRun,
  type ValidationReport,
} from './callbacks/callback.js';
export { CheckpointCallback, type CheckpointOptions } from './callbacks/checkpoint-callback.js';
export { EarlyStopping, type EarlyStoppingOptions } from './callbacks/early-stopping.js';
export { EmaCallback, type EmaOptions } from './callbacks/ema.js';
export { NemoFileCallback, type NemoFileOptions } from './callbacks/nemo-file.js';
export { RunTimeLimit, StepTiming } from './callbacks/timing.js';
export type { CheckpointContent, CheckpointState, JsonValue } from './checkpoint/content.js';
export { listCheckpoints, resolveCheckpoint } from './checkpoint/folder.js';
export { Checkpoint } from './checkpoint/reader.js';
export { checkpointValues, restoreWeights, type WeightChoice } from './checkpoint/weights.js';
export { writeCheckpoint } from './checkpoint/writer.js';
export { callbackKind, loggerKind, trainingComponents } from './components.js';
export { type Diagnosis, diagnose } from './diagnosis/diagnose.js';
export { readDump, type StepDump } from './diagnosis/dump.js';
export type { Measurement } from './diagnosis/probe.js';
export { type Replay, replay } from './diagnosis/replay.js';
export { type Evaluation, evaluate } from './evaluate.js';
export { expManager } from './exp-manager.js';
export { type ExpManagerOptions, type ExpManagerSection, expManagerSchema } from './exp-manager-options.js';
export { type Lever, leverLines } from './fit/memory-levers.js';
export type { MemoryItem, MemoryPlan } from './fit/memory-plan.js';
export { freeText, moduleTable, planTable, spokenBytes } from './fit/memory-text.js';
export { CsvLogger } from './loggers/csv.js';
export { JsonLinesLogger, type MetricRow, readMetricRows } from './loggers/json-lines.js';
export type { MetricsLogger } from './loggers/logger.js';
export { TensorBoardLogger } from './loggers/tensorboard.js';
export {
  LiveLineView,
  LogLineView,
  PROGRESS_VIEW,
  type ProgressView,
  QuietView,
  type StepStatus,
} from './progress/progress-view.js';
export { type ReportData, reportPage } from './report/page.js';
export { ReportCallback } from './report/report-callback.js';
export { RUN_FOLDER, type RunFolder } from './run-folder.js';
export type { RunProgress } from './run-progress.js';
export { exitCodeOf } from './signals.js';
export type { FreeMemory } from './system/free-memory.js';
export {
  type EvaluationOptions,
  type FitResult,
  type RunPlan,
  Trainer,
  type TrainerDependencies,
} from './trainer.js';
export { type Duration, type TrainerOptions, type TrainerSection, trainerSchema } from './trainer-options.js';
