export { fastGelu, gelu, quickGelu } from './activation.js';
export {
  type AttentionCache,
  type GroupQueryOptions,
  groupQueryAttention,
  type RotaryOptions,
  rotaryEmbedding,
} from './attention.js';
export { layerNormalization, rmsNormalization } from './normalization.js';
export { fusedMatMul, type GemmOptions, gemm, type ProductOptions } from './product.js';
export {
  matMulLevels,
  matMulNBits,
  type QuantizedMatrix,
  type QuantizedRows,
  quantizeMatrix,
  quantizeRows,
} from './quantized.js';
