export type { ConformerEncoderConfig, NemoCompat } from './encoders/conformer-config.js';
export { ConformerEncoder } from './encoders/conformer-encoder.js';
export type { Encoded, Encoder } from './encoders/encoder.js';
