// The face of the causal decoder's bricks.

export { alibiSlopes } from './alibi.js';
export { type CausalAttentionOptions, causalAttention } from './causal-attention.js';
export { type CacheFill, CausalDecoder, cachedHeadSize, type DecoderCache } from './causal-decoder.js';
export { Dense } from './dense.js';
export { isGated, type MlpActivation } from './mlp.js';
export { DecoderNorm, type NormKind } from './norm.js';
export { coreNames, type DecoderNames, type DecoderOptions, legacyNames } from './options.js';
export {
  type RotaryOptions,
  type RotaryScaling,
  rotaryAttentionFactor,
  rotaryFrequencies,
} from './rotary.js';
export type { SequenceContext } from './self-attention.js';
