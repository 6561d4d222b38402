export { type JointActivation, type JointPicksOptions, jointPicks } from './decoders/joint-picks.js';
export { RNNTDecoder, type RNNTDecoderConfig } from './decoders/rnnt-decoder.js';
export { RNNTJoint, type RNNTJointConfig } from './decoders/rnnt-joint.js';
export type { ConformerEncoderConfig, NemoCompat } from './encoders/conformer-config.js';
export { ConformerEncoder } from './encoders/conformer-encoder.js';
export type { Encoded, Encoder } from './encoders/encoder.js';
export * from './losses/index.js';
