// The public face of the lm folder: language models.
export { restoreLanguageModel } from './archive.js';
export { saveGptArchive } from './archived-gpt.js';
export { isLanguageModel, isTuning, lmComponents } from './components.js';
export { type ConfiguredTexts, configuredTexts } from './configured-texts.js';
export { metricsOf, SlidingWindow, type TextLoss, type WindowOptions } from './evaluation/sliding-window.js';
export type { TextPart } from './generation/generate.js';
export type { GptGenerateOptions } from './generation/model-writer.js';
export type { Generated, GenerateOptions, ScoredToken } from './generation/options.js';
export { nextToken, type SamplingOptions } from './generation/sampling.js';
export { MegatronGPTModel } from './gpt-model.js';
export { type GptModelConfig, type GptModelSection, gptModelSchema } from './gpt-schema.js';
export { architectureOf, type HuggingFaceConfig } from './huggingface/architecture.js';
export { type HuggingFaceFolder, openHuggingFace } from './huggingface/folder.js';
export { networkWeights } from './huggingface/weights.js';
export {
  type ExportedModel,
  type ExportOptions,
  type ExportType,
  writeHuggingFace,
} from './huggingface/write-folder.js';
export { LanguageNetwork, type NamingScheme, type NetworkOptions, type TokenInputs } from './network.js';
export { PerplexityEvaluator } from './perplexity.js';
export {
  type OpenPretrainedOptions,
  PretrainedLanguageModel,
  type PretrainedParts,
} from './pretrained/pretrained-model.js';
export {
  type RoundingError,
  type WeightBits,
  type WeightOnly,
  weightOnly,
} from './pretrained/weight-only.js';
export { mergePeft, peftBasePath } from './tuning/merge-peft.js';
export { isPeftFolder, peftBase } from './tuning/peft-folder.js';
export { MegatronGPTSFTModel } from './tuning/tuned-model.js';
export { type TuningConfig, type TuningSection, tuningSchema } from './tuning/tuning-schema.js';
