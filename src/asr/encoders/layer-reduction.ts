// A further reduction of the frame rate between the layers of a Conformer (or after the last), NeMo's
// SubsamplingReductionModule.
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { Module, type Pass } from '../../nn/index.js';
import type { NemoCompat } from './conformer-config.js';
import { ConvSubsampling, type Frames, firstMaximum } from './subsampling.js';

export interface LayerReductionOptions {
  /** The maximum of neighbours, or strided convolutions over (time, channel). */
  readonly kind: 'pooling' | 'striding';
  readonly factor: number;
  readonly width: number;
  readonly nemoCompat: NemoCompat;
}

/**
 * Lengths shrink by the factor. (NeMo divides the lengths of `pooling` once for each power of two in it, which is
 * right for a factor of two only.)
 */
export class LayerReduction extends Module {
  private readonly convolutions: ConvSubsampling | undefined;

  constructor(private readonly options: LayerReductionOptions) {
    super();
    const { kind, factor, width, nemoCompat } = options;
    if (!Number.isInteger(Math.log2(factor))) {
      throw new AnemoneError({
        code: 'encoder.reduction-factor',
        path: 'encoder.reduction_factor',
        message: `${factor} is not a power of two`,
      });
    }
    const sizes = { featIn: width, featOut: width, channels: width };
    this.convolutions =
      kind === 'striding'
        ? this.child(
            'reduction_enc',
            new ConvSubsampling({ kind: 'striding', factor, ...sizes, causal: false, nemoCompat }),
          )
        : undefined;
  }

  outputLength(frames: number): number {
    return this.convolutions
      ? this.convolutions.outputLength(frames)
      : Math.floor(frames / this.options.factor);
  }

  /** x [B,T,d] → [B,T',d]. */
  forward(x: Tensor, lengths: Tensor, pass: Pass): Frames {
    if (this.convolutions) return this.convolutions.forward(x, lengths, pass);
    const { factor } = this.options;
    const [batch, frames, width] = x.shape;
    const keptFrames = Math.floor(frames! / factor);
    const wholeGroups = tf.slice(x, [0, 0, 0], [batch, keptFrames * factor, width!]);
    const fewer = (lengths: Tensor): Tensor =>
      tf.cast(tf.floor(tf.mul(tf.cast(lengths, 'float32'), tf.scalar(1 / factor))), 'int32');
    const grid = tf.reshape(wholeGroups, [batch, keptFrames, factor, width!]);
    const parts = tf.split(grid, factor, 2).map((part) => tf.reshape(part, [batch, keptFrames, width!]));
    return {
      x: pass.tap(this.path, firstMaximum(parts)),
      lengths: fewer(lengths),
      frames: pass.extent && fewer(pass.extent.frames),
    };
  }
}
