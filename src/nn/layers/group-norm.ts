// Group normalisation over time and the channels of a group (Wu & He 2018), PyTorch's GroupNorm on
// channels-last data. One group is its "layer" form, groups of one channel are instance norm.
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { ones, zeros } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import type { Pass } from '../pass.js';

/**
 * `weight` and `bias` [C] unless `affine` is false. The batch's padding counts, as it does in NeMo; what a compiled shape
 * adds beyond it does not.
 */
export class GroupNorm extends Module {
  private readonly weight: Parameter | undefined;
  private readonly bias: Parameter | undefined;

  constructor(
    readonly features: number,
    readonly groups: number,
    affine = true,
  ) {
    super();
    if (features % groups !== 0) {
      throw new AnemoneError({
        code: 'nn.groups',
        message: `${groups} groups do not divide ${features} channels`,
      });
    }
    this.weight = affine ? this.parameter('weight', [features], ones) : undefined;
    this.bias = affine ? this.parameter('bias', [features], zeros) : undefined;
  }

  /** x [B,T,C] → same shape. */
  forward(x: Tensor, { extent }: Pick<Pass, 'extent'> = {}): Tensor {
    const [batch, frames, width] = x.shape;
    const grouped = tf.reshape(x, [batch, frames, this.groups, width / this.groups]);
    // The mean is taken over one axis after the other: short sums round less than a long one.
    const share = extent && tf.expandDims(extent.share, 3);
    const overTime = (x: Tensor): Tensor => (share ? tf.sum(tf.mul(x, share), 1, true) : tf.mean(x, 1, true));
    const mean = (x: Tensor): Tensor => overTime(tf.mean(x, 3, true));
    // The mean is subtracted a second time, for rounding left some of it.
    const centredGroups = tf.sub(grouped, mean(grouped));
    const centred = tf.sub(centredGroups, mean(centredGroups));
    const variance = mean(tf.square(centred));
    const y = tf.reshape(tf.mul(centred, tf.rsqrt(tf.add(variance, tf.scalar(1e-5)))), x.shape);
    return this.weight && this.bias ? tf.add(tf.mul(y, this.weight.tensor()), this.bias.tensor()) : y;
  }
}
