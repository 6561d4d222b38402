// Layer normalisation over the last axis (Ba et al. 2016), with a gradient that keeps only x and two
// numbers a row.
import { type Tensor, tf } from '../../engine/index.js';
import { ones, zeros } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import { customGradient } from './custom-gradient.js';

/** (x - mean) / √(var + epsilon) · scale + shift over the last axis. x [..., C], scale and shift [C]. */
export function layerNormOp(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor {
  const leading = x.shape.slice(0, -1).map((_, i) => i);
  return customGradient(
    [x, scale, shift],
    () => {
      const mean = tf.mean(x, -1, true);
      const centred = tf.sub(x, mean);
      const deviation = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), tf.scalar(epsilon)));
      const value = tf.add(tf.mul(tf.mul(centred, deviation), scale), shift);
      return { value, saved: [x, mean, deviation, scale] };
    },
    (dy, [x, mean, deviation, scale]) => {
      const normalised = tf.mul(tf.sub(x, mean), deviation);
      const scaled = tf.mul(dy, scale);
      const along = tf.mean(tf.mul(scaled, normalised), -1, true);
      const dx = tf.mul(
        tf.sub(tf.sub(scaled, tf.mean(scaled, -1, true)), tf.mul(normalised, along)),
        deviation,
      );
      return [dx, tf.sum(tf.mul(dy, normalised), leading), tf.sum(dy, leading)];
    },
  );
}

/** `weight` and `bias` [C], starting at 1 and 0. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    readonly features: number,
    readonly epsilon = 1e-5,
    weightInit = ones,
  ) {
    super();
    this.weight = this.parameter('weight', [features], weightInit);
    this.bias = this.parameter('bias', [features], zeros);
  }

  /** x [..., C] → same shape. */
  forward(x: Tensor): Tensor {
    return layerNormOp(x, this.weight.tensor(), this.bias.tensor(), this.epsilon);
  }
}
