// Affine maps of the last axis.
import { type Tensor, tf } from '../../engine/index.js';
import { fanInUniform, type Initializer } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';

/**
 * x·weightᵀ + bias over the last axis; the leading axes become the rows of a single matrix product.
 * x [..., in], weight [out, in], bias [out] → [..., out].
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, width] = weight.shape;
  const leading = x.shape.slice(0, -1);
  const rows = x.rank === 2 ? x : tf.reshape(x, [-1, width]);
  const product = tf.matMul(rows, weight, false, true);
  const y = bias ? tf.add(product, bias) : product;
  return x.rank === 2 ? y : tf.reshape(y, [...leading, out]);
}

/** How a linear map starts and how its weight is stored. Default initial values are PyTorch's. */
export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean | undefined;
  readonly weightInit?: Initializer | undefined;
  readonly biasInit?: Initializer | undefined;
  /**
   * Trailing axes of size 1 in the stored weight: 1 for weights that PyTorch keeps as a pointwise Conv1d
   * [out, in, 1]. Default 0.
   */
  readonly kernelAxes?: number;
}

/** `weight` [out, in], `bias` [out]; initial values as PyTorch's nn.Linear, U(±1/√in). */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    super();
    const initial = fanInUniform(inFeatures);
    const kernel = new Array<number>(options.kernelAxes ?? 0).fill(1);
    this.weight = this.parameter(
      'weight',
      [outFeatures, inFeatures, ...kernel],
      options.weightInit ?? initial,
    );
    this.bias =
      options.bias === false ? undefined : this.parameter('bias', [outFeatures], options.biasInit ?? initial);
  }

  /** x [..., in] → [..., out]. */
  forward(x: Tensor): Tensor {
    const stored = this.weight.tensor();
    const weight = stored.rank === 2 ? stored : tf.reshape(stored, [this.outFeatures, this.inFeatures]);
    return linear(x, weight, this.bias?.tensor());
  }
}
