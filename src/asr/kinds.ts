// The kinds of bricks of speech models, with the types they build, for `container.instantiate`.
import type { MelConfig, SpecAugmentConfig } from '../audio/index.js';
import { defineKind } from '../container/index.js';
import type { ConvASRDecoder } from './decoders/conv-asr-decoder.js';
import type { PredictionNetwork } from './decoders/prediction-network.js';
import type { TransducerJoint } from './decoders/transducer-joint.js';
import type { Encoder } from './encoders/encoder.js';

export const encoderKind = defineKind<Encoder>('encoder');
/** Prediction network of a transducer. */
export const predictionKind = defineKind<PredictionNetwork>('decoder');
/** Classifier of encoder frames. */
export const frameDecoderKind = defineKind<ConvASRDecoder>('decoder');
export const jointKind = defineKind<TransducerJoint>('joint');
/** Front ends run in worker threads, so a component gives the settings to send there. */
export const preprocessorKind = defineKind<Partial<MelConfig>>('preprocessor');
export const specAugmentKind = defineKind<Partial<SpecAugmentConfig>>('spec_augment');
