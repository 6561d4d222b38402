// Data: manifests, their checking, batches, and loading them ahead of the consumer.
export * from './batching/index.js';
export * from './check/index.js';
export { encodeTranscripts, SpeechDataset, type Tokenize, type Utterance, utterancesOf } from './dataset.js';
export {
  type BadUtterance,
  type LoaderConfig,
  type SpeechBatch,
  SpeechSource,
  type SpeechSourceOptions,
} from './loader.js';
export * from './manifest/index.js';
export { type OpenSourceOptions, openEvaluationSources, openSpeechSource } from './open-source.js';
export { cacheFolder, cacheSize } from './pipeline/feature-cache.js';
export type { PipelineConfig, UtteranceRef } from './pipeline/task.js';
export { type DataSection, dataSection } from './section.js';
export { expandShards, type PathSpec } from './tarred/index.js';
export {
  faultOf,
  inputName,
  openTranscriptionSource,
  type TranscriptionInput,
  type TranscriptionOptions,
  TranscriptionSource,
} from './transcription.js';
export { type UnknownText, unknownTextOf } from './unknown-text.js';
export { moduleBeside, spawnWorker, WorkerPool, type WorkerPoolOptions } from './workers/index.js';
