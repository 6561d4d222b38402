// Data: manifests, their checking, batches, and loading them ahead of the consumer.
export { type BatchPlace, batchesOf, type ExampleSourceOptions, type Examples } from './examples.js';
export * from './speech/batching/index.js';
export * from './speech/check/index.js';
export { dataComponents, manifestSource } from './speech/components.js';
export {
  encodeTranscripts,
  SpeechDataset,
  type Tokenize,
  type Utterance,
  utterancesOf,
} from './speech/dataset.js';
export type { SpeechLabels } from './speech/labels.js';
export {
  type BadUtterance,
  type LoaderConfig,
  type SpeechBatch,
  SpeechSource,
  type SpeechSourceOptions,
} from './speech/loader.js';
export * from './speech/manifest/index.js';
export { type OpenSourceOptions, openEvaluationSources, openSpeechSource } from './speech/open-speech.js';
export { cacheFolder, cacheSize } from './speech/pipeline/feature-cache.js';
export type { PipelineConfig, UtteranceRef } from './speech/pipeline/task.js';
export { type DataSection, dataSchema, dataSection } from './speech/section.js';
export {
  type SpeechBatchOptions,
  type SpeechContext,
  type SpeechContextOptions,
  type SpeechDataSource,
  type SpeechExample,
  speechContext,
} from './speech/speech-context.js';
export { expandShards, type PathSpec } from './speech/tarred/index.js';
export {
  faultOf,
  inputName,
  openTranscriptionSource,
  type TranscriptionInput,
  type TranscriptionOptions,
  TranscriptionSource,
} from './speech/transcription.js';
export { type UnknownText, unknownTextOf } from './speech/unknown-text.js';
export {
  type AnswerOptions,
  type AnswerRow,
  type ChatText,
  type ChatTurn,
  readAnswerRows,
} from './text/answer-rows.js';
export { AnswerSource, type AnswerSourceOptions } from './text/answer-source.js';
export { BlendedSamples } from './text/blended-samples.js';
export {
  checkTextSet,
  type ShownSample,
  shownSamples,
  type TextCheckOptions,
  type TextFinding,
  type TextSetReport,
  vocabularyFindings,
} from './text/check-texts.js';
export { type DocumentOptions, documentParts, isJsonLines, type TextPart } from './text/documents.js';
export {
  type BlendIndex,
  blendCounts,
  blendIndex,
  type GptIndex,
  type GptIndexOptions,
  gptIndex,
  splitBounds,
} from './text/gpt-index.js';
export type { IndexPlace } from './text/index-cache.js';
export { IndexedSamples, type IndexedSamplesOptions } from './text/indexed-samples.js';
export {
  type PreprocessedSet,
  type PreprocessOptions,
  type PreprocessProgress,
  preprocess,
} from './text/preprocess.js';
export { RowSamples, type RowSamplesOptions } from './text/row-samples.js';
export type { SampleSet } from './text/sample-set.js';
export { readTokenSet, type TextTokens, type TokenSet } from './text/token-set.js';
export { type TextBatch, TokenSource, type TokenSourceOptions } from './text/token-source.js';
export { moduleBeside, spawnWorker, WorkerPool, type WorkerPoolOptions } from './workers/index.js';
