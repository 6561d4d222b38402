// How a stream is cut for a Conformer: chunk sizes and cache sizes that make the pieces equal to the whole. NeMo's
// setup_streaming_params, with checks for what it lets pass and computes differently in pieces.
import { AnemoneError } from '../../errors/index.js';
import type { AttentionContext } from '../../nn/index.js';
import type { ContextSize, ResolvedConformerConfig } from './conformer-config.js';
import type { Cutting } from './subsampling.js';

/** What a caller may choose of a stream: how much future and past each frame sees, and how long chunks are. */
export interface ChunkOptions {
  /** [left, right] of the attention, one of the encoder's. Default: the encoder's first. */
  readonly attContextSize?: ContextSize;
  /** Encoded frames a chunk. Default: the least, right + 1 for `chunked_limited`. */
  readonly chunkFrames?: number;
  /** Encoded frames remembered where the left context is unlimited. Default 10000, as NeMo. */
  readonly maxContext?: number;
}

/** How a stream is cut for one encoder. */
export interface ChunkPlan {
  readonly context: AttentionContext;
  /** Encoded frames computed at a time. */
  readonly chunkFrames: number;
  /** Encoded frames that are final after each chunk; the others are computed again with more of their future. */
  readonly shiftFrames: number;
  /** Encoded frames seen by the attention before a chunk. */
  readonly attentionCache: number;
  /** Frames seen by the depthwise convolution before a chunk. */
  readonly convolutionCache: number;
  readonly cutting: Cutting;
  /** Feature frames an encoded frame. */
  readonly factor: number;
  readonly layers: number;
  readonly width: number;
}

const UNLIMITED = 10000;

/** @throws AnemoneError `streaming.encoder`, `streaming.chunk` */
export function chunkPlan(
  config: ResolvedConformerConfig,
  contexts: readonly ContextSize[],
  cutting: Cutting | undefined,
  options: ChunkOptions,
): ChunkPlan {
  const [left, right] = chosenContext(contexts, options.attContextSize);
  const convolution = convolutionContext(config);
  checkEncoder(config, cutting, right, convolution);
  const chunked = config.att_context_style === 'chunked_limited';
  // What looks ahead a little in each layer looks ahead layers times as far.
  const lookahead = chunked ? right : config.n_layers * (right + convolution[1]);
  const chunkFrames = options.chunkFrames ?? lookahead + 1;
  const unit = chunked ? right + 1 : 1;
  if (!Number.isInteger(chunkFrames) || chunkFrames <= lookahead || chunkFrames % unit !== 0) {
    throw new AnemoneError({
      code: 'streaming.chunk',
      path: 'chunkFrames',
      message: `chunks of ${chunkFrames} encoded frames do not fit an encoder that looks ${right} frames ahead`,
      hint: chunked ? `use a multiple of ${unit}` : `use at least ${lookahead + 1}`,
    });
  }
  return {
    context: { style: config.att_context_style, left, right },
    chunkFrames,
    shiftFrames: chunked ? chunkFrames : chunkFrames - lookahead,
    attentionCache: left >= 0 ? left : (options.maxContext ?? UNLIMITED),
    convolutionCache: convolution[0],
    cutting: cutting!,
    factor: config.subsampling_factor,
    layers: config.n_layers,
    width: config.d_model,
  };
}

/** Sizes as NeMo's CacheAwareStreamingConfig has them; pairs are for the first chunk and those after it. */
export interface StreamingSizes {
  /** Feature frames. */
  readonly chunkSize: number | readonly [number, number];
  /** Feature frames. */
  readonly shiftSize: number | readonly [number, number];
  /** Encoded frames. */
  readonly cacheDropSize: number;
  /** Encoded frames. */
  readonly lastChannelCacheSize: number;
  /** Encoded frames. */
  readonly validOutLen: number;
  /** Feature frames. */
  readonly preEncodeCacheSize: number | readonly [number, number];
  /** Encoded frames. */
  readonly dropExtraPreEncoded: number;
}

/** The plan's sizes under NeMo's names. */
export function streamingSizes(plan: ChunkPlan): StreamingSizes {
  const { factor, chunkFrames, shiftFrames, cutting, attentionCache } = plan;
  const encoded = {
    cacheDropSize: chunkFrames - shiftFrames,
    lastChannelCacheSize: attentionCache,
    validOutLen: shiftFrames,
    dropExtraPreEncoded: cutting.warmup,
  };
  if (cutting.kind === 'blocks') {
    return {
      chunkSize: factor * chunkFrames,
      shiftSize: factor * shiftFrames,
      preEncodeCacheSize: 0,
      ...encoded,
    };
  }
  return {
    chunkSize: [1 + factor * (chunkFrames - 1), factor * chunkFrames],
    shiftSize: [1 + factor * (shiftFrames - 1), factor * shiftFrames],
    preEncodeCacheSize: [0, 1 + factor * (cutting.warmup - 1)],
    ...encoded,
  };
}

function chosenContext(
  contexts: readonly ContextSize[],
  wantedContext: ContextSize | undefined,
): ContextSize {
  if (!wantedContext) return contexts[0];
  const foundContext = contexts.find(
    ([left, right]) => left === wantedContext[0] && right === wantedContext[1],
  );
  if (foundContext) return foundContext;
  throw new AnemoneError({
    code: 'streaming.context',
    path: 'attContextSize',
    message: `[${wantedContext}] is not one of the encoder's contexts`,
    hint: `it has ${contexts.map((context) => `[${context}]`).join(', ')}`,
  });
}

function convolutionContext(config: ResolvedConformerConfig): ContextSize {
  const { conv_context_size: context, conv_kernel_size: kernel } = config;
  if (context === 'causal') return [kernel - 1, 0];
  return context ?? [(kernel - 1) / 2, (kernel - 1) / 2];
}

function checkEncoder(
  config: ResolvedConformerConfig,
  cutting: Cutting | undefined,
  right: number,
  [, convolutionRight]: ContextSize,
): void {
  const { att_context_style: style, self_attention_model: model, conv_norm_type: norm } = config;
  if (right < 0) refuse('att_context_size', 'attention to all later frames', '[70, 0] or [70, 13]');
  if (model !== 'rel_pos') refuse('self_attention_model', `${model}`, 'rel_pos');
  if (style === 'chunked_limited' && convolutionRight > 0) {
    refuse('conv_context_size', 'a convolution that reaches beyond the chunk', 'causal');
  }
  if (!['batch_norm', 'layer_norm', 'fused_batch_norm'].includes(norm)) {
    refuse('conv_norm_type', `${norm}, which averages over time,`, 'layer_norm or batch_norm');
  }
  if (config.reduction && config.reduction_factor > 1) refuse('reduction', 'a reduction', 'null');
  if (!cutting)
    refuse('causal_downsampling', `subsampling that is not causal (${config.subsampling})`, 'true');
}

function refuse(key: string, what: string, use: string): never {
  throw new AnemoneError({
    code: 'streaming.encoder',
    path: `encoder.${key}`,
    message: `an encoder with ${what} needs the whole utterance`,
    hint: `models for streaming are trained with ${key}: ${use}; others can be buffered (chunkSeconds)`,
  });
}
