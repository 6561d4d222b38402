// The recurrent encoder (He et al. 2019), NeMo's RNNEncoder: subsampling, then layers of LSTM, layer normalisation and
// dropout.
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  dropout,
  frameMask,
  LayerCheckpoints,
  LayerNorm,
  type Linear,
  Lstm,
  Module,
  type Pass,
  type StackLayer,
  within,
} from '../../nn/index.js';
import { createSubsampling } from './create-subsampling.js';
import type { Encoded, Encoder, InnerLayers } from './encoder.js';
import type { RNNEncoderConfig } from './rnn-config.js';
import { Subsampling } from './subsampling.js';

/**
 * The direction from the end begins at the last frame of each utterance, whatever padding comes after it. NeMo's reads
 * the padding of the batch first, so that its numbers are these where there is none.
 */
export class RNNEncoder extends Module implements Encoder {
  private readonly preEncode: Subsampling | Linear;
  readonly checkpoints: LayerCheckpoints;
  private readonly layers: readonly { readonly lstm: Lstm; readonly norm: LayerNorm }[];

  /** @throws AnemoneError `encoder.layers` for a proj_size that the LSTMs cannot have */
  constructor(readonly config: RNNEncoderConfig) {
    super();
    const { d_model: cells, proj_size: width, bidirectional } = config;
    const channels = config.subsampling_conv_channels;
    checkSizes(config);
    this.preEncode = this.child(
      'pre_encode',
      createSubsampling({
        kind: config.subsampling ?? 'stacking',
        factor: this.subsamplingFactor,
        featIn: config.feat_in,
        featOut: width,
        channels: channels > 0 ? channels : width,
        causal: false,
        nemoCompat: config.nemo_compat,
      }),
    );
    const projectionSize = bidirectional ? width / 2 : width;
    // NeMo counts recurrence, normalisation and dropout as layers of their own.
    this.layers = Array.from({ length: config.n_layers }, (_, k) => ({
      lstm: this.child(
        `layers.${3 * k}`,
        new Lstm({ inputSize: width, hiddenSize: cells, projectionSize, bidirectional }),
      ),
      norm: this.child(`layers.${3 * k + 1}`, new LayerNorm(width)),
    }));
    this.checkpoints = new LayerCheckpoints(
      config,
      this.layers.map(({ lstm }) => lstm),
    );
  }

  get width(): number {
    return this.config.proj_size;
  }

  get subsamplingFactor(): number {
    return this.config.subsampling === null ? 1 : this.config.subsampling_factor;
  }

  get layerCount(): number {
    return this.layers.length;
  }

  outputLength(frames: number): number {
    return this.preEncode instanceof Subsampling ? this.preEncode.outputLength(frames) : frames;
  }

  /** features [B,T,F] → [B,T',proj_size] */
  forward(features: Tensor, featureLengths: Tensor, callerPass: Pass, inner?: InnerLayers): Encoded {
    const pass = within(callerPass, callerPass.batchFrames, features);
    const { x: frames, lengths } =
      this.preEncode instanceof Subsampling
        ? this.preEncode.forward(features, featureLengths, pass)
        : { x: this.preEncode.forward(features), lengths: featureLengths };
    const [batch, count] = frames.shape;
    const valid = this.config.bidirectional
      ? tf.reshape(tf.transpose(frameMask(lengths, count!)), [count!, batch, 1])
      : undefined;
    const layer: StackLayer = ([x], k, pass) => {
      const { lstm, norm } = this.layers[k];
      // Recurrences run along the first axis.
      const steps = lstm.forward(tf.transpose(x, [1, 0, 2]), pass, valid);
      const states = pass.tap(lstm.path, tf.transpose(steps, [1, 0, 2]));
      return [dropout(pass.tap(norm.path, norm.forward(states)), this.config.dropout, pass)];
    };
    const each = (k: number, [x]: Tensor[]): Tensor[] => {
      inner?.(k, { encoded: x, lengths });
      return [x];
    };
    const [encoded] = this.checkpoints.through([frames], () => ({ layer, pass }), inner ? { each } : {});
    return { encoded, lengths };
  }
}

/** PyTorch's LSTM projects to fewer outputs than it has cells. */
function checkSizes({ d_model: cells, proj_size: width, bidirectional }: RNNEncoderConfig): void {
  const fail = (message: string): never => {
    throw new AnemoneError({ code: 'encoder.layers', path: 'encoder.proj_size', message });
  };
  if (bidirectional && width % 2 !== 0) fail(`${width} is odd, but both directions have half of it`);
  const each = bidirectional ? width / 2 : width;
  if (each >= cells) fail(`a direction's ${each} outputs must be fewer than its ${cells} cells (d_model)`);
}
