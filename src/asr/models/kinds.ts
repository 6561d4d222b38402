// The kinds of bricks of speech models, with the types they build, for `container.instantiate`.
import type { FrontEndConfig, SpecAugmentConfig } from '../../audio/index.js';
import { defineKind, type KindOf } from '../../container/index.js';
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

/** Acoustic encoders as a kind of component: `model.encoder`. */
export const encoderKind = defineKind<Encoder>('encoder', 'an encoder');
/** Prediction network of a transducer. */
export const predictionKind = defineKind<PredictionNetwork>('decoder', 'a decoder');
/** Classifier of encoder frames. */
export const frameDecoderKind = defineKind<ConvASRDecoder>('decoder', 'a decoder');
/** Joints of transducers as a kind of component: `model.joint`. */
export const jointKind = defineKind<TransducerJoint>('joint', 'a joint');
/** Attention decoder of a multitask model, and what stands before and after it. */
export const transformerDecoderKind = defineKind<TransformerDecoder>(
  'transf_decoder',
  'a transformer decoder',
);
export const transformerEncoderKind = defineKind<TransformerEncoder>(
  'transf_encoder',
  'a transformer encoder',
);
export const headKind = defineKind<TokenClassifierConfig>('head', 'a classifier of tokens');
export const crossEntropyKind = defineKind<CrossEntropyConfig>('loss', 'a loss');
/** Front ends run in worker threads, so a component gives the settings to send there. */
export const preprocessorKind = defineKind<FrontEndConfig>('preprocessor', 'a preprocessor');
/** Spectrogram augmentations as a kind of component: `model.spec_augment`. */
export const specAugmentKind = defineKind<Partial<SpecAugmentConfig>>(
  'spec_augment',
  'a spectrogram augmentation',
);

export const speechKinds: readonly KindOf<unknown>[] = [
  preprocessorKind,
  specAugmentKind,
  encoderKind,
  predictionKind,
  frameDecoderKind,
  jointKind,
  transformerEncoderKind,
  transformerDecoderKind,
  headKind,
  crossEntropyKind,
];
