// The Conformer-transducer that the benchmarks time, from a config as a user would write it.
import { EncDecRNNTModel } from '../../src/asr/index.js';
import { configFromObject } from '../../src/config/index.js';
import { type Engine, float32, int32 } from '../../src/engine/index.js';
import type { Batch } from '../../src/model/index.js';
import { CounterRandom } from '../../src/random/index.js';
import type { Precision } from '../../src/training/precision.js';

export interface Sizes {
  readonly threads: number;
  readonly d: number;
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly batch: number;
  /** Feature frames, 10 ms each. */
  readonly frames: number;
  readonly tokens: number;
  /** Whether layers, and log-probabilities of the joint, are computed again for the gradient. Default no. */
  readonly checkpoint?: 'full' | 'selective' | 'blocks';
  /** Default 32-true. */
  readonly precision?: Precision;
  /** Into how many parts a batch is cut for the convolutions of the subsampling. Default 1. */
  readonly parts?: number;
  /** FastConformer's subsampling, by 8 with depthwise convolutions, and its kernels of 9. Default: Conformer's, by 4, and of 31. */
  readonly fast?: boolean;
}

/** `more` adds keys to the `model` section. */
export function transducer(sizes: Sizes, engine: Engine, more: object = {}): EncDecRNNTModel {
  const config = configFromObject({
    model: {
      labels: Array.from({ length: sizes.vocabulary }, (_, i) => String.fromCodePoint(0x4e00 + i)),
      preprocessor: {
        _target_: 'AudioToMelSpectrogramPreprocessor',
        features: 80,
        window_size: 0.025,
        n_fft: 512,
      },
      encoder: {
        _target_: 'ConformerEncoder',
        feat_in: 80,
        n_layers: sizes.layers,
        d_model: sizes.d,
        n_heads: sizes.heads,
        ...(sizes.fast
          ? {
              subsampling: 'dw_striding',
              subsampling_factor: 8,
              subsampling_conv_channels: sizes.d,
              conv_kernel_size: 9,
            }
          : { subsampling: 'striding', subsampling_factor: 4 }),
        dropout: 0.1,
        dropout_emb: 0,
        dropout_att: 0.1,
        ...(sizes.parts ? { subsampling_conv_chunking_factor: sizes.parts } : {}),
        ...(sizes.checkpoint ? { activations_checkpoint_granularity: sizes.checkpoint } : {}),
      },
      decoder: {
        _target_: 'RNNTDecoder',
        prednet: { pred_hidden: sizes.hidden, pred_rnn_layers: 1, dropout: 0.2 },
      },
      joint: {
        _target_: 'RNNTJoint',
        ...(sizes.checkpoint ? { preserve_memory: true } : {}),
        jointnet: { joint_hidden: sizes.hidden, activation: 'relu', dropout: 0.2 },
      },
      optim: { name: 'adamw', lr: 1e-3, betas: [0.9, 0.98], weight_decay: 1e-3 },
      ...more,
    },
  });
  return EncDecRNNTModel.fromConfig(config.model, { engine });
}

/** Noise for speech; lengths a little below the maximum, as in a length bucket. */
export function noiseBatch({ batch, frames, tokens, vocabulary }: Sizes): Batch {
  const random = new CounterRandom(3);
  const features = Float32Array.from({ length: batch * frames * 80 }, (_, i) => random.normal(i));
  const targets = Int32Array.from({ length: batch * tokens }, (_, i) => random.integer(i, vocabulary));
  return {
    inputs: {
      features: float32(features, [batch, frames, 80]),
      featureLengths: int32(
        Array.from({ length: batch }, (_, i) => frames - Math.floor((i * frames) / (8 * batch))),
        [batch],
      ),
      targets: int32(targets, [batch, tokens]),
      targetLengths: int32(
        Array.from({ length: batch }, (_, i) => tokens - (i % 5)),
        [batch],
      ),
    },
    size: batch,
    units: (batch * frames) / 100,
    names: Array.from({ length: batch }, (_, i) => `noise ${i}`),
  };
}
