// Adafactor (Shazeer & Stern 2018): the second moment of a matrix is kept as row and column means only.
// Not reproduced: NeMo writes the scaled rate back into the group's learning rate, so that with
// relative_step=false and scale_parameter=true it compounds from parameter to parameter.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { type Scalars, type SlotSpec, type Slots, store, type UpdateRule } from '../update-rule.js';

export interface AdafactorOptions {
  readonly eps: readonly [number, number];
  readonly clip_threshold: number;
  readonly decay_rate: number;
  readonly beta1: number | null;
  readonly weight_decay: number;
  readonly scale_parameter: boolean;
  readonly relative_step: boolean;
  readonly warmup_init: boolean;
  readonly min_step: number;
}

export class AdafactorRule implements UpdateRule {
  constructor(private readonly options: AdafactorOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    const { decay_rate, relative_step, warmup_init, min_step } = this.options;
    const floor = warmup_init ? 1e-6 * t : min_step;
    return {
      lr: relative_step ? Math.min(floor, 1 / Math.sqrt(t)) : lr,
      keep: 1 - t ** decay_rate,
      take: t ** decay_rate,
    };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    const { shape } = parameter;
    const momentum = this.options.beta1 === null ? undefined : { exp_avg: { shape } };
    if (shape.length < 2) return { exp_avg_sq: { shape }, ...momentum };
    return {
      exp_avg_sq_row: { shape: shape.slice(0, -1) },
      exp_avg_sq_col: { shape: [...shape.slice(0, -2), shape[shape.length - 1]] },
      ...momentum,
    };
  }

  apply(p: Tensor, g: Tensor, slots: Slots, s: Scalars): Tensor {
    const { eps, clip_threshold, beta1, weight_decay, scale_parameter } = this.options;
    const normalised = tf.mul(g, this.inverseRoot(tf.add(tf.square(g), eps[0]), slots, s));
    const limited = tf.div(normalised, tf.maximum(tf.div(rootMeanSquare(normalised), clip_threshold), 1));
    const rate = scale_parameter ? tf.mul(s['lr'], tf.maximum(rootMeanSquare(p), eps[1])) : s['lr'];
    let step = tf.mul(limited, rate);
    if (beta1 !== null) {
      const average = slots['exp_avg'];
      step = store(average, tf.add(tf.mul(average.tensor(), beta1), tf.mul(step, 1 - beta1)));
    }
    const start = weight_decay === 0 ? p : tf.mul(p, tf.sub(1, tf.mul(rate, weight_decay)));
    return tf.sub(start, step);
  }

  /** 1/√(second moment), from row and column means for matrices. */
  private inverseRoot(squares: Tensor, slots: Slots, s: Scalars): Tensor {
    const average = (label: string, x: Tensor) =>
      store(slots[label], tf.add(tf.mul(slots[label].tensor(), s['keep']), tf.mul(x, s['take'])));
    if (squares.rank < 2) return tf.rsqrt(average('exp_avg_sq', squares));
    const rows = average('exp_avg_sq_row', tf.mean(squares, -1));
    const columns = average('exp_avg_sq_col', tf.mean(squares, -2));
    const relative = tf.rsqrt(tf.div(rows, tf.mean(rows, -1, true)));
    const [rowShape, columnShape] = [
      [...rows.shape, 1],
      [...columns.shape.slice(0, -1), 1, columns.shape[columns.rank - 1]],
    ];
    return tf.mul(tf.reshape(relative, rowShape), tf.reshape(tf.rsqrt(columns), columnShape));
  }
}

function rootMeanSquare(x: Tensor): Tensor {
  return tf.sqrt(tf.mean(tf.square(x)));
}
