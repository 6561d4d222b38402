export { type Activation, activationByName, glu, silu } from './activation.js';
export {
  type AttentionMask,
  type AttentionOptions,
  MultiHeadAttention,
  RelativeMultiHeadAttention,
} from './attention.js';
export { Attention } from './attention-module.js';
export { BatchNorm, type BatchNormOptions } from './batch-norm.js';
export { Conv1d, type Conv1dGeometry, type Conv1dOptions, conv1d, conv1dLength, every } from './conv1d.js';
export { Conv2d, type Conv2dOptions } from './conv2d.js';
export { customGradient } from './custom-gradient.js';
export { DepthwiseConv1d, type DepthwiseConv1dOptions, depthwiseConv1d } from './depthwise-conv1d.js';
export { dropout } from './dropout.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { FeedForward, type FeedForwardOptions } from './feed-forward.js';
export { GroupNorm } from './group-norm.js';
export { LayerNorm, layerNormOp } from './layer-norm.js';
export { type FusedRows, Linear, type LinearOptions, type LinearUpdate, linear } from './linear.js';
export {
  type LocalAttentionOptions,
  LocalMultiHeadAttention,
  localAttentionMask,
  localBlock,
} from './local-attention.js';
export { Lstm, type LstmBiasInit, type LstmOptions, type LstmState } from './lstm.js';
export { lstmRecurrence, type RecurrenceOptions } from './lstm-recurrence.js';
export { type AttentionContext, attentionMask, frameMask } from './masks.js';
export {
  absolutePositions,
  bandPositions,
  localPositions,
  relativePositions,
} from './positional-encoding.js';
export {
  attendInBlocks,
  looksInBlocks,
  type QueriesAndKeys,
  type QueryBlocksOptions,
} from './query-blocks.js';
export { relativeShift, relativeUnshift } from './relative-shift.js';
export { depthFactor, stochasticDepth, stochasticDepthSchedule } from './stochastic-depth.js';
