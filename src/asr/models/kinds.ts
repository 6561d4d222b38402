// The kinds of bricks of speech models, with the types they build, for `container.instantiate`.
import type { FrontEndConfig, SpecAugmentConfig } from '../../audio/index.js';
import { defineKind } from '../../container/index.js';
import type {
  CrossEntropyConfig,
  TokenClassifierConfig,
  TransformerDecoder,
  TransformerEncoder,
} from '../../transformer/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import type { Encoder } from '../encoders/encoder.js';

export const encoderKind = defineKind<Encoder>('encoder');
/** Prediction network of a transducer. */
export const predictionKind = defineKind<PredictionNetwork>('decoder');
/** Classifier of encoder frames. */
export const frameDecoderKind = defineKind<ConvASRDecoder>('decoder');
export const jointKind = defineKind<TransducerJoint>('joint');
/** Attention decoder of a multitask model, and what stands before and after it. */
export const transformerDecoderKind = defineKind<TransformerDecoder>('transf_decoder');
export const transformerEncoderKind = defineKind<TransformerEncoder>('transf_encoder');
export const headKind = defineKind<TokenClassifierConfig>('head');
export const crossEntropyKind = defineKind<CrossEntropyConfig>('loss');
/** Front ends run in worker threads, so a component gives the settings to send there. */
export const preprocessorKind = defineKind<FrontEndConfig>('preprocessor');
export const specAugmentKind = defineKind<Partial<SpecAugmentConfig>>('spec_augment');
