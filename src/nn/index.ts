export * from './initializers.js';
export * from './layers/index.js';
export {
  type LoadReport,
  type LoadWeightsOptions,
  loadWeights,
  type WeightSource,
} from './load-weights.js';
export { Module } from './module.js';
export { Buffer, joinPath, Parameter } from './parameter.js';
export { evaluationPass, type Pass, trainingPass } from './pass.js';
export { type HeatMap, isReportContributor, type ReportContributor } from './report-contribution.js';
export type {
  Batch,
  BatchSource,
  EvaluatedSample,
  EvaluationSummary,
  Evaluator,
  StepOutput,
  TrainableModel,
} from './trainable-model.js';
