// What goes into an encoder with a chunk of a stream, and what comes out, apart from the frames themselves: inputs
// that the layers saw before. Layouts only; who keeps them between chunks is stream.ts.
import type { Tensor } from '../../engine/index.js';
import type { AttentionContext, Module, Pass } from '../../nn/index.js';
import type { ChunkOptions, ChunkPlan } from './chunk-plan.js';

/** The inputs of one part of a layer: those before a chunk, and where those of the chunk go. */
export interface Past {
  /** [B,C,d]; undefined where there are none. */
  readonly frames: Tensor | undefined;
  /** Gets [B,T,d]. */
  see(inputs: Tensor): void;
}

/** What goes into an encoder with a chunk of a stream. */
export interface Chunk {
  /** [B,F,bins], beginning with as many frames as the first `warmup` encoded frames take. */
  readonly features: Tensor;
  /** int32 [B] */
  readonly featureLengths: Tensor;
  /** Encoded frames at the beginning that were encoded before, T = F' - warmup being left. */
  readonly warmup: number;
  /** Valid frames of the T, int32 [B]. Default: as the feature lengths have it. */
  readonly frames?: Tensor | undefined;
  /** Earlier inputs of the attention [layers,B,C,d], the latest last. */
  readonly attention: Tensor | undefined;
  /** How many of the C are there, int32 [B]. */
  readonly attentionLengths: Tensor;
  /** Earlier inputs of the depthwise convolution [layers,B,left,d]; zeros before the stream. */
  readonly convolution: Tensor | undefined;
  readonly context: AttentionContext;
}

/** What comes out of an encoder with a chunk of a stream. */
export interface EncodedChunk {
  /** [B,T,width] */
  readonly encoded: Tensor;
  /** Valid frames of the T, int32 [B]. */
  readonly frames: Tensor;
  /** This chunk's inputs of the attention [layers,B,T,d]. */
  readonly attention: Tensor;
  /** This chunk's inputs of the depthwise convolution [layers,B,T,d]. */
  readonly convolution: Tensor;
}

/** An encoder that can go on where it stopped. */
export interface ChunkEncoder extends Module {
  /**
   * How streams are to be cut so that the pieces are equal to the whole.
   * @throws AnemoneError `streaming.*` where its settings make it need the whole utterance
   */
  chunkPlan(options?: ChunkOptions): ChunkPlan;
  /** Encodes one chunk; what the layers will want to have seen is part of the result. */
  forwardChunk(chunk: Chunk, pass: Pass): EncodedChunk;
  /** Encoded frames of an utterance of `frames` feature frames. */
  outputLength(frames: number): number;
}

export function isChunkEncoder(encoder: Module): encoder is ChunkEncoder {
  return 'chunkPlan' in encoder && 'forwardChunk' in encoder;
}
