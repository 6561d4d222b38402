// The kinds of bricks of speech models, with the types they build, for `container.instantiate`.
import { type FeatureAugmentation, type FrontEnd, waveformAugmentationKind } from '../../audio/index.js';
import { defineKind, type KindOf } from '../../container/index.js';
import { tokenLossKind } from '../../nn/index.js';
import type { TokenHead, TransformerDecoder, TransformerEncoder } from '../../transformer/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import {
  attentionDecodingKind,
  frameDecodingKind,
  transducerDecodingKind,
} from '../decoding/decoding-kinds.js';
import type { Encoder } from '../encoders/encoder.js';
import { frameLossKind, transducerLossKind } from '../losses/loss-kinds.js';

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
/** Classifiers of a decoder's tokens as a kind of component: `model.head`. */
export const headKind = defineKind<TokenHead>('head', 'a classifier of tokens');
/** Front ends as a kind of component: `model.preprocessor`. */
export const preprocessorKind = defineKind<FrontEnd>('preprocessor', 'a preprocessor');
/** Spectrogram augmentations as a kind of component: `model.spec_augment`. */
export const specAugmentKind = defineKind<FeatureAugmentation>('spec_augment', 'a spectrogram augmentation');

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
  tokenLossKind,
  frameLossKind,
  transducerLossKind,
  transducerDecodingKind,
  frameDecodingKind,
  attentionDecodingKind,
  waveformAugmentationKind,
];
