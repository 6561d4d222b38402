// Speech recognition: encoders, decoders, losses, decoding, models.
export {
  Adapter,
  adapterKind,
  type LoadAdaptersOptions,
  ModelAdapters,
  type ResidualAdd,
  type UnfreezeOptions,
} from '../adapters/index.js';
export type { Hypothesis } from '../generation/index.js';
export type { ModelContext, ModelServices } from '../model/index.js';
export { type ModelFactory, modelKind } from '../model/index.js';
export {
  type InitFromOptions,
  initFrom,
  initFromConfig,
  type RestoreOptions,
  restoreConfig,
  sealedBut,
} from '../nemo/index.js';
export type {
  ConvASRDecoderConfig,
  RNNTDecoderConfig,
  RNNTJointConfig,
  StatelessDecoderConfig,
} from './decoders/config.js';
export { ConvASRDecoder } from './decoders/conv-asr-decoder.js';
export { HATJoint } from './decoders/hat-joint.js';
export {
  type JointActivation,
  type JointHead,
  type JointPicksOptions,
  jointPicks,
} from './decoders/joint-picks.js';
export { PredictionNetwork } from './decoders/prediction-network.js';
export { RNNTDecoder } from './decoders/rnnt-decoder.js';
export { RNNTJoint } from './decoders/rnnt-joint.js';
export { StatelessTransducerDecoder } from './decoders/stateless-decoder.js';
export {
  type JointLossInput,
  type PicksOptions,
  TransducerJoint,
} from './decoders/transducer-joint.js';
export { outputLayout, plainRnnt, type TransducerVariant } from './decoders/transducer-variant.js';
export { picksOfLogits, variantHeads } from './decoders/variant-heads.js';
export { type BeamOptions, type BeamStrategy, BeamTransducer } from './decoding/beam/beam-transducer.js';
export type { DecodingSection } from './decoding/config.js';
export { ctcBatchedBeamSearch } from './decoding/ctc-batched-beam.js';
export { type CtcBeamOptions, type CtcFrames, ctcBeamSearch } from './decoding/ctc-beam.js';
export type { CtcDecodingSection } from './decoding/ctc-config.js';
export type { CtcSearch, CtcSearchContext } from './decoding/ctc-search.js';
export {
  type AttentionDecoding,
  type AttentionSearchContext,
  attentionDecodingKind,
  type FrameDecoding,
  frameDecodingKind,
  type TransducerDecoding,
  type TransducerSearchContext,
  transducerDecodingKind,
} from './decoding/decoding-kinds.js';
export {
  type BoostedPhrase,
  BoostingTree,
  type BoostingTreeOptions,
} from './decoding/fusion/boosting-tree.js';
export { FusionState, TokenFusion } from './decoding/fusion/token-fusion.js';
export { type FrameChoices, greedyCtc } from './decoding/greedy-ctc.js';
export {
  type GreedyOptions,
  GreedyTransducer,
  type ProjectedFrames,
  type TransducerNetwork,
} from './decoding/greedy-transducer.js';
export { alignLattice, type LatticeAlignment, type LatticePoint } from './decoding/lattice-alignment.js';
export { parseArpa } from './decoding/lm/arpa.js';
export { type LmState, NgramModel } from './decoding/lm/ngram-model.js';
export type { TokenModel, WeightedModel } from './decoding/lm/token-model.js';
export { TokenNgram } from './decoding/lm/token-ngram.js';
export type { Chunk, ChunkEncoder, EncodedChunk } from './encoders/chunk.js';
export type { ChunkOptions, ChunkPlan, StreamingSizes } from './encoders/chunk-plan.js';
export type { ConformerEncoderConfig, NemoCompat } from './encoders/conformer-config.js';
export { ConformerEncoder } from './encoders/conformer-encoder.js';
export {
  type ConvASREncoderConfig,
  convAsrEncoderSchema,
  type JasperBlockConfig,
} from './encoders/conv-asr-config.js';
export { ConvASREncoder } from './encoders/conv-asr-encoder.js';
export type { Encoded, Encoder, InnerLayers } from './encoders/encoder.js';
export { FeatureStream } from './encoders/feature-stream.js';
export { Preprocessor } from './encoders/front-end.js';
export { type RNNEncoderConfig, rnnEncoderSchema } from './encoders/rnn-config.js';
export { RNNEncoder } from './encoders/rnn-encoder.js';
export {
  type SqueezeformerEncoderConfig,
  squeezeformerEncoderSchema,
} from './encoders/squeezeformer-config.js';
export { SqueezeformerEncoder } from './encoders/squeezeformer-encoder.js';
export type { ExportOptions } from './export/export-onnx.js';
export { type Stages, stagesOf } from './inspection/stages.js';
export * from './losses/index.js';
export { type Adaptation, type AdaptationSection, isAdaptation } from './models/adaptation.js';
export { type CheckConfigOptions, checkConfig } from './models/check-config.js';
export {
  adaptedModel,
  createFromConfig,
  createModel,
  isSpeechModel,
  type ModelConfigInput,
  type OwnModelSection,
  openModel,
  restoreModel,
} from './models/components.js';
export { classifierSizes } from './models/ctc-family.js';
export { type CtcModelSection, EncDecCTCModel, EncDecCTCModelBPE } from './models/ctc-model.js';
export { asrComponents, asrKinds, type StockSection, type StockTarget } from './models/families.js';
export type { FineTuningSection } from './models/fine-tune.js';
export {
  EncDecHybridRNNTCTCBPEModel,
  EncDecHybridRNNTCTCModel,
  type HybridModelSection,
} from './models/hybrid-model.js';
export {
  encoderKind,
  frameDecoderKind,
  headKind,
  jointKind,
  predictionKind,
  preprocessorKind,
  specAugmentKind,
} from './models/kinds.js';
export { familyComponents } from './models/model-component.js';
export { type KeptPart, type ModelFamily, type StageBound, vocabularyPart } from './models/model-family.js';
export { commonFields, commonIgnored } from './models/model-schema.js';
export { EncDecMultiTaskModel, type MultiTaskSection } from './models/multitask-model.js';
export {
  EncDecHybridRNNTCTCBPEModelWithPrompt,
  type PromptHybridSection,
} from './models/prompt-hybrid-model.js';
export { EncDecRNNTBPEModel, EncDecRNNTModel, type RnntModelSection } from './models/rnnt-model.js';
export { type AnyDecodingSection, SpeechModel, type SpeechModelConfig } from './models/speech-model.js';
export type { Vocabulary, VocabularyOptions } from './models/vocabulary.js';
export { type NamedClass, nemoClass, type SavedFamily, type SpeechParts } from './nemo/saved-config.js';
export type { SavedSections } from './nemo/saved-sections.js';
export type { ArchiveSections } from './nemo/speech-archive.js';
export type { Recognition, Recognizer } from './recognition/recognizer.js';
export { type Prompt, perPrompt } from './streaming/per-prompt.js';
export type { SpeechStream, StreamingRecognizer } from './streaming/streaming-recognizer.js';
export { transcriptionBlocks } from './streaming/transcribe-buffered.js';
export { type BufferMerge, MERGES, type TranscribeOptions } from './transcription/options.js';
export type {
  Confidences,
  TimedText,
  TimedToken,
  Timestamps,
  Transcript,
} from './transcription/transcript.js';
