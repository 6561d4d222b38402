// The public face of the model folder: what every model is, and what it is made in.
export {
  BatchMeans,
  isEmpty,
  type LossPart,
  lossOf,
  lossParts,
  lossWeights,
  type MeasuredTerm,
  measuredTerms,
  measuredWeights,
  scalarOutputs,
  scalarValues,
  termOutputs,
  totalWeight,
  weightedOutput,
  weightOutputs,
} from './batch-means.js';
export {
  buildModel,
  type ModelContext,
  type ModelServices,
  modelScope,
  type Section,
  useFiles,
} from './context.js';
export {
  type DataSource,
  dataSourceKind,
  type OpenedSources,
  openSources,
  type SourceContext,
} from './data-source.js';
export { Model, type ModelConfig } from './model.js';
export { MODEL_FILES, ModelFiles } from './model-files.js';
export { type ModelFactory, modelKind, type RecognisingComponent, recognisesSections } from './model-kind.js';
export { checkSize, type SectionPlace } from './model-size.js';
export { type HeatMap, isReportContributor, type ReportContributor } from './report-contribution.js';
export {
  type ArchivableModel,
  type Batch,
  type BatchOutline,
  type BatchSource,
  type DataLimits,
  type EvaluatedSample,
  type EvaluationSummary,
  type Evaluator,
  isArchivable,
  type StepOutput,
  type TrainableModel,
} from './trainable-model.js';
