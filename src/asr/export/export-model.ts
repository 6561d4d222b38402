// A model as files for other programs: its parts, and the metadata that front end and tokenizer are rebuilt of.
import { type FrontEnd, isMfcc, nemoFrontEndConfig } from '../../audio/index.js';
import type { Engine } from '../../engine/index.js';
import type { Encoder } from '../encoders/encoder.js';
import type { TransducerHead } from './decoder-joint.js';
import { type ExportOptions, exportOnnx, nemoTarget, sherpaTarget } from './export-onnx.js';
import { checkForSherpa, normalizeType, sherpaMetadata, sherpaTokens } from './sherpa.js';
import { type StreamingEncoder, streamingMetadata } from './streaming-encoder.js';
import { longestInput, type Subnet } from './subnets.js';

/** What is read of a model. */
export interface ExportedModel {
  readonly encoder: Encoder;
  readonly frontEnd: FrontEnd;
  /** Name of its class for subwords, by which sherpa-onnx recognises models of characters too. */
  readonly modelType: string;
  /** Without blank. */
  readonly tokens: readonly string[];
  /** What stands behind the encoder, where that is a transducer. */
  readonly head: TransducerHead | undefined;
  /** What its family adds to the metadata. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The files. */
  subnets(): readonly Subnet[];
}

/** @param options.stream undefined for an encoder of whole utterances */
export function exportModel(
  model: ExportedModel,
  path: string,
  engine: Engine,
  options: ExportOptions & { readonly maxFrames: number; readonly stream: StreamingEncoder | undefined },
): Promise<readonly string[]> {
  const { encoder, modelType, tokens, head } = model;
  const { maxFrames, stream } = options;
  const { config: mel } = model.frontEnd;
  const frontEndConfig = nemoFrontEndConfig(model.frontEnd);
  const longest = () => encoder.outputLength(longestInput(encoder, maxFrames));
  const metadata = {
    model_type: modelType,
    vocabulary: JSON.stringify(tokens),
    subsampling_factor: String(encoder.subsamplingFactor),
    ...(stream ? streamingMetadata(stream.plan) : { max_encoder_frames: String(longest()) }),
    preprocessor: JSON.stringify(mel),
    normalize_type: frontEndConfig ? normalizeType(frontEndConfig) : '',
    feat_dim: String(
      frontEndConfig ? (isMfcc(frontEndConfig) ? frontEndConfig.n_mfcc : frontEndConfig.features) : mel.width,
    ),
    ...model.metadata,
  };
  if (options.for !== 'sherpa')
    return exportOnnx(nemoTarget(path), model.subnets(), metadata, engine, options);
  const prompted = 'prompt_dictionary' in metadata;
  checkForSherpa({
    mel: frontEndConfig,
    vocabulary: tokens,
    head,
    streaming: stream !== undefined,
    prompted,
  });
  const target = sherpaTarget(path, sherpaTokens(tokens));
  const all = { ...metadata, ...sherpaMetadata(modelType, head) };
  return exportOnnx(target, model.subnets(), all, engine, options);
}
