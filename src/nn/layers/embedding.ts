// A table of vectors looked up by integer.
import { type Tensor, tf } from '../../engine/index.js';
import { type Initializer, normal } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { customGradient } from './custom-gradient.js';

/** How the rows of an embedding start, and which of them stands for padding. */
export interface EmbeddingOptions {
  /** This row starts as zeros and gets no gradient. */
  readonly paddingIndex?: number | undefined;
  /** Default N(0, 1), the padding row zeros; a given one fills that row too. */
  readonly weightInit?: Initializer;
}

/** `weight` [count, width], N(0, 1) at the start as PyTorch's nn.Embedding. */
export class Embedding extends Module {
  readonly weight: Parameter;
  readonly paddingIndex: number | undefined;

  constructor(
    readonly count: number,
    readonly width: number,
    options: EmbeddingOptions = {},
  ) {
    super();
    this.paddingIndex = options.paddingIndex;
    const standard: Initializer = (shape, random) => {
      const table = normal(1)(shape, random);
      const row = options.paddingIndex;
      if (row !== undefined) table.fill(0, row * width, (row + 1) * width);
      return table;
    };
    this.weight = this.parameter('weight', [count, width], options.weightInit ?? standard);
    this.weight.isTable = true;
  }

  /** ids int32 [...] → [..., width]. */
  forward(ids: Tensor): Tensor {
    const weight = this.weight.tensor();
    const padding = this.paddingIndex;
    const flat = tf.reshape(ids, [ids.size]);
    const rows = customGradient(
      [weight],
      () => ({ value: tf.gather(weight, flat as tf.Tensor1D), saved: [flat] }),
      (dy, [flat]) => {
        const countedRows =
          padding === undefined
            ? dy
            : tf.mul(
                dy,
                tf.reshape(tf.cast(tf.notEqual(flat, tf.scalar(padding, 'int32')), 'float32'), [-1, 1]),
              );
        return [tf.unsortedSegmentSum(countedRows, flat as tf.Tensor1D, this.count)];
      },
    );
    return tf.reshape(rows, [...ids.shape, this.width]);
  }
}
