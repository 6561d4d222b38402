// What models ask of an acoustic encoder.
import type { Tensor } from '../../engine/index.js';
import type { Module, Pass } from '../../nn/index.js';

export interface Encoded {
  /** [B,T',d] */
  readonly encoded: Tensor;
  /** Valid frames per item, int32 [B]. */
  readonly lengths: Tensor;
}

export interface Encoder extends Module {
  /** Width d of the output. */
  readonly width: number;
  /** Feature frames per encoded frame. */
  readonly subsamplingFactor: number;
  /** features [B,T,F], featureLengths int32 [B]. */
  forward(features: Tensor, featureLengths: Tensor, pass: Pass): Encoded;
  /** T' of an utterance of T = `frames` feature frames. */
  outputLength(frames: number): number;
}
