// Batch normalisation over all positions of a batch (Ioffe & Szegedy 2015), PyTorch's BatchNorm1d on
// channels-last data. Padded frames count, as they do in NeMo.
import { type Tensor, tf } from '../../engine/index.js';
import { ones, zeros } from '../initializers.js';
import { Module } from '../module.js';
import type { Buffer, Parameter } from '../parameter.js';
import type { Pass } from '../pass.js';
import { customGradient } from './custom-gradient.js';

export interface BatchNormOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Weight of the new batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

/**
 * `weight`, `bias`, `running_mean`, `running_var` [C] and `num_batches_tracked` (scalar). In training the
 * batch's own mean and (biased) variance normalise, and the running ones move towards the batch's mean and
 * unbiased variance; in evaluation, or when `frozen`, the running ones normalise.
 */
export class BatchNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Buffer;
  readonly runningVar: Buffer;
  readonly batchesTracked: Buffer;
  readonly epsilon: number;
  readonly momentum: number;
  /** The running statistics normalise in training too, and stay as they are. */
  frozen = false;

  constructor(
    readonly features: number,
    options: BatchNormOptions = {},
  ) {
    super();
    this.epsilon = options.epsilon ?? 1e-5;
    this.momentum = options.momentum ?? 0.1;
    this.weight = this.parameter('weight', [features], ones);
    this.bias = this.parameter('bias', [features], zeros);
    this.runningMean = this.buffer('running_mean', [features], () => new Float32Array(features));
    this.runningVar = this.buffer('running_var', [features], () => new Float32Array(features).fill(1));
    this.batchesTracked = this.buffer('num_batches_tracked', [], () => new Int32Array(1), { dtype: 'int32' });
  }

  /** x [..., C] → same shape. */
  forward(x: Tensor, pass: Pass): Tensor {
    const scale = this.weight.tensor();
    const shift = this.bias.tensor();
    if (!pass.training || this.frozen) {
      const factor = tf.mul(scale, tf.rsqrt(tf.add(this.runningVar.tensor(), tf.scalar(this.epsilon))));
      return tf.add(tf.mul(x, factor), tf.sub(shift, tf.mul(this.runningMean.tensor(), factor)));
    }
    const rows = tf.reshape(x, [-1, this.features]);
    const { mean, variance } = moments(rows);
    this.track(mean, variance, rows.shape[0]);
    return tf.reshape(normalise(rows, scale, shift, mean, variance, this.epsilon), x.shape);
  }

  private track(mean: Tensor, variance: Tensor, count: number): void {
    const blend = (running: Tensor, batch: Tensor, factor: number): Tensor =>
      tf.add(tf.mul(running, tf.scalar(1 - this.momentum)), tf.mul(batch, tf.scalar(this.momentum * factor)));
    const unbiased = count > 1 ? count / (count - 1) : 1;
    this.runningMean.assign(blend(this.runningMean.tensor(), mean, 1));
    this.runningVar.assign(blend(this.runningVar.tensor(), variance, unbiased));
    this.batchesTracked.assign(tf.add(this.batchesTracked.tensor(), tf.scalar(1, 'int32')));
  }
}

/** Mean and biased variance [C] of rows [N, C]. */
function moments(rows: Tensor): { mean: Tensor; variance: Tensor } {
  const mean = tf.mean(rows, 0);
  return { mean, variance: tf.mean(tf.square(tf.sub(rows, mean)), 0) };
}

/** The gradient includes the dependence of mean and variance on the rows. */
function normalise(
  rows: Tensor,
  scale: Tensor,
  shift: Tensor,
  mean: Tensor,
  variance: Tensor,
  epsilon: number,
): Tensor {
  return customGradient(
    [rows, scale, shift],
    () => {
      const deviation = tf.rsqrt(tf.add(variance, tf.scalar(epsilon)));
      const factor = tf.mul(scale, deviation);
      const value = tf.add(tf.mul(rows, factor), tf.sub(shift, tf.mul(mean, factor)));
      return { value, saved: [rows, mean, deviation, scale] };
    },
    (dy, [rows, mean, deviation, scale]) => {
      const normalised = tf.mul(tf.sub(rows, mean), deviation);
      const dShift = tf.sum(dy, 0);
      const dScale = tf.sum(tf.mul(dy, normalised), 0);
      const perRow = tf.scalar(1 / rows.shape[0]);
      const centred = tf.sub(dy, tf.mul(dShift, perRow));
      const dx = tf.mul(
        tf.sub(centred, tf.mul(normalised, tf.mul(dScale, perRow))),
        tf.mul(scale, deviation),
      );
      return [dx, dScale, dShift];
    },
  );
}
