// Batch normalisation over all positions of a batch (Ioffe & Szegedy 2015), PyTorch's BatchNorm1d on
// channels-last data. The batch's padding counts, as it does in NeMo; what a compiled shape adds beyond it does not.
import { inFullPrecision, type Tensor, tf } from '../../engine/index.js';
import { ones, zeros } from '../initializers.js';
import { Module } from '../module.js';
import type { Buffer, Parameter } from '../parameter.js';
import type { Extent, Pass } from '../pass.js';
import { customGradient } from './custom-gradient.js';

/** PyTorch's options, with its defaults. */
export interface BatchNormOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Weight of the new batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

/**
 * `weight`, `bias`, `running_mean`, `running_var` [C] and `num_batches_tracked` (scalar). In training the
 * batch's own mean and (biased) variance normalise, and the running ones move towards the batch's mean and
 * unbiased variance; in evaluation, or when `frozen`, the running ones normalise. Of a batch that ranks have divided
 * (`Pass.sumOverRanks`) mean and variance are those of all parts, as in PyTorch's SyncBatchNorm.
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
    const options_ = { running: { keeps: 1 - this.momentum }, followsAllRanks: true };
    this.runningMean = this.buffer('running_mean', [features], () => new Float32Array(features), options_);
    this.runningVar = this.buffer(
      'running_var',
      [features],
      () => new Float32Array(features).fill(1),
      options_,
    );
    this.batchesTracked = this.buffer('num_batches_tracked', [], () => new Int32Array(1), {
      dtype: 'int32',
      running: 'count',
      followsAllRanks: true,
    });
  }

  /** x [..., C] → same shape; under `pass.extent` x is [B,T,C]. */
  forward(x: Tensor, pass: Pass): Tensor {
    const scale = this.weight.tensor();
    const shift = this.bias.tensor();
    if (!pass.training || this.frozen) {
      const factor = tf.mul(scale, tf.rsqrt(tf.add(this.runningVar.tensor(), tf.scalar(this.epsilon))));
      return tf.add(tf.mul(x, factor), tf.sub(shift, tf.mul(this.runningMean.tensor(), factor)));
    }
    const rows = tf.reshape(x, [-1, this.features]);
    const { extent } = pass;
    const share = extent?.rowShare;
    if (pass.sumOverRanks) return this.normaliseTogether(x, extent, pass.sumOverRanks);
    const { mean, variance } = moments(rows, share);
    this.track(mean, variance, this.weightOfUnbiased(x, extent));
    return tf.reshape(normalise(rows, scale, shift, { mean, variance, share }, this.epsilon), x.shape);
  }

  /** With the statistics of all ranks' rows. */
  private normaliseTogether(x: Tensor, extent: Extent | undefined, sumOverRanks: SumOverRanks): Tensor {
    const rows = tf.reshape(x, [-1, this.features]);
    const sum = (part: Tensor) => sumOverRanks(part, `batch statistics of ${this.path}`);
    const ownCount = extent
      ? tf.mul(tf.cast(extent.frames, 'float32'), tf.scalar(x.shape[0]))
      : tf.tensor1d([x.size / this.features]);
    const { mean, variance, count } = momentsOfAll(rows, extent?.rowShare, ownCount, sum);
    const unbiased = tf.div(count, tf.maximum(tf.sub(count, tf.scalar(1)), tf.scalar(1)));
    this.track(mean, variance, tf.mul(unbiased, tf.scalar(this.momentum)));
    // Of one row among those of all ranks.
    const share = extent ? tf.mul(extent.rowShare, tf.div(ownCount, count)) : tf.div(tf.scalar(1), count);
    const [scale, shift] = [this.weight.tensor(), this.bias.tensor()];
    return tf.reshape(normalise(rows, scale, shift, { mean, variance, share, sum }, this.epsilon), x.shape);
  }

  /** Momentum times what makes a biased variance of the batch unbiased. */
  private weightOfUnbiased(x: Tensor, extent: Extent | undefined): Tensor {
    const { momentum, features } = this;
    if (extent) {
      const count = tf.mul(tf.cast(extent.frames, 'float32'), tf.scalar(x.shape[0]));
      const fewer = tf.maximum(tf.sub(count, tf.scalar(1)), tf.scalar(1));
      return tf.mul(tf.div(count, fewer), tf.scalar(momentum));
    }
    const count = x.size / features;
    return tf.scalar(momentum * (count > 1 ? count / (count - 1) : 1));
  }

  private track(mean: Tensor, variance: Tensor, varianceWeight: Tensor): void {
    const blend = (running: Tensor, batch: Tensor, weight: Tensor): Tensor =>
      tf.add(tf.mul(running, tf.scalar(1 - this.momentum)), tf.mul(batch, weight));
    this.runningMean.assign(blend(this.runningMean.tensor(), mean, tf.scalar(this.momentum)));
    this.runningVar.assign(blend(this.runningVar.tensor(), variance, varianceWeight));
    this.batchesTracked.assign(tf.add(this.batchesTracked.tensor(), tf.scalar(1, 'int32')));
  }
}

type SumOverRanks = NonNullable<Pass['sumOverRanks']>;

interface Moments {
  /** [C] */
  readonly mean: Tensor;
  /** Biased, [C]. */
  readonly variance: Tensor;
}

interface NormaliseMoments extends Moments {
  readonly share: Tensor | undefined;
  readonly sum?: (part: Tensor) => Tensor;
}

/** Moments of rows [N,C]; of those with a share [N,1], if there is one. */
function moments(rows: Tensor, share: Tensor | undefined): Moments {
  const mean = average(rows, share);
  return { mean, variance: average(tf.square(tf.sub(rows, mean)), share) };
}

/** Of rows [N,C], the mean [C]. */
function average(rows: Tensor, share: Tensor | undefined): Tensor {
  if (!share) return tf.mean(rows, 0);
  return tf.reshape(inFullPrecision(() => tf.matMul(share, rows, true, false)), [rows.shape[1]!]); // biome-ignore format: one line reads better
}

/**
 * Moments of the rows of all ranks, and how many these are [1]. The mean is known before deviations from it are squared: sums of
 * squares alone lose what is far from zero.
 */
function momentsOfAll(
  rows: Tensor,
  share: Tensor | undefined,
  ownCount: Tensor,
  sum: (part: Tensor) => Tensor,
): Moments & { readonly count: Tensor } {
  const channels = rows.shape[1]!;
  const total = sum(tf.concat([tf.mul(average(rows, share), ownCount), ownCount]));
  const count = tf.slice(total, [channels], [1]);
  const mean = tf.div(tf.slice(total, [0], [channels]), count);
  const squares = tf.mul(average(tf.square(tf.sub(rows, mean)), share), ownCount);
  return { mean, variance: tf.div(sum(squares), count), count };
}

/**
 * The gradient includes the dependence of mean and variance on the rows that have a share in them. Rows without one come
 * from beyond the batch, where the gradient `dy` is 0 because nothing of the loss depends on them.
 * @param given.share of each row in the moments, [N,1] or for all alike [1]; absent: equal shares
 * @param given.sum over the ranks that have a share; the gradients of scale and shift stay this rank's own
 */
function normalise(
  rows: Tensor,
  scale: Tensor,
  shift: Tensor,
  { mean, variance, share, sum }: NormaliseMoments,
  epsilon: number,
): Tensor {
  return customGradient(
    [rows, scale, shift],
    () => {
      const deviation = tf.rsqrt(tf.add(variance, tf.scalar(epsilon)));
      const factor = tf.mul(scale, deviation);
      const value = tf.add(tf.mul(rows, factor), tf.sub(shift, tf.mul(mean, factor)));
      return { value, saved: [rows, mean, deviation, scale, ...(share ? [share] : [])] };
    },
    (dy, [rows, mean, deviation, scale, share]) => {
      const normalised = tf.mul(tf.sub(rows, mean), deviation);
      const dShift = tf.sum(dy, 0);
      const dScale = tf.sum(tf.mul(dy, normalised), 0);
      const [shiftOfAll, scaleOfAll] = sum ? tf.unstack(sum(tf.stack([dShift, dScale]))) : [dShift, dScale];
      const centred = share
        ? tf.sub(dy, tf.mul(tf.add(tf.mul(normalised, scaleOfAll), shiftOfAll), share))
        : withoutMoments(dy, normalised, dShift, dScale);
      return [tf.mul(centred, tf.mul(scale, deviation)), dScale, dShift];
    },
  );
}

/** dy [N,C] without what goes back through mean and variance, of which every row has an equal share. */
function withoutMoments(dy: Tensor, normalised: Tensor, dShift: Tensor, dScale: Tensor): Tensor {
  const perRow = tf.scalar(1 / dy.shape[0]);
  const centred = tf.sub(dy, tf.mul(dShift, perRow));
  return tf.sub(centred, tf.mul(normalised, tf.mul(dScale, perRow)));
}
