// The interface of encoders.
import type { Tensor } from '../../engine/index.js';
import type { Module, Pass } from '../../nn/index.js';

/** What an encoder gives for a batch. */
export interface Encoded {
  /** [B,T',d] */
  readonly encoded: Tensor;
  /** Valid frames per item, int32 [B]. */
  readonly lengths: Tensor;
}

/** Gets the output of layer `index`, from 0, as the encoder computes it. */
export type InnerLayers = (index: number, output: Encoded) => void;

/** What models ask of an acoustic encoder. */
export interface Encoder extends Module {
  /** Width d of the output. */
  readonly width: number;
  /** Feature frames per encoded frame. */
  readonly subsamplingFactor: number;
  /** Layers (or blocks) whose outputs `inner` gets; without it, none. */
  readonly layerCount?: number;
  /** features [B,T,F], featureLengths int32 [B]. What `inner` gets is as wide as the encoder's output. */
  forward(features: Tensor, featureLengths: Tensor, pass: Pass, inner?: InnerLayers): Encoded;
  /** T' of an utterance of T = `frames` feature frames. */
  outputLength(frames: number): number;
}
