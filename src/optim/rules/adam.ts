// Adam (Kingma & Ba 2015) with L2 in the gradient, and AdamW (Loshchilov & Hutter 2019) with decoupled
// decay; also AMSGrad. Numbers as torch.optim.Adam and AdamW.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import {
  movingAverage,
  type Scalars,
  type SlotSpec,
  type Slots,
  store,
  type UpdateRule,
  withL2,
} from '../update-rule.js';

export interface AdamOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly amsgrad: boolean;
  /** Decay the parameter itself (AdamW) instead of adding to the gradient (Adam). */
  readonly decoupled: boolean;
}

export class AdamRule implements UpdateRule {
  constructor(private readonly options: AdamOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    const [beta1, beta2] = this.options.betas;
    const root = Math.sqrt(1 - beta2 ** t);
    // √v/root + eps = (√v + eps·root)/root: the correction moves into two numbers and costs no pass over v.
    return {
      stepSize: (lr * root) / (1 - beta1 ** t),
      eps: this.options.eps * root,
      shrink: 1 - lr * this.options.weight_decay,
    };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    const sameShape = { shape: parameter.shape };
    return this.options.amsgrad
      ? { exp_avg: sameShape, exp_avg_sq: sameShape, max_exp_avg_sq: sameShape }
      : { exp_avg: sameShape, exp_avg_sq: sameShape };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { betas, weight_decay, amsgrad, decoupled } = this.options;
    const g = decoupled ? gradient : withL2(p, gradient, weight_decay);
    const m = store(slots['exp_avg'], movingAverage(slots['exp_avg'].tensor(), g, betas[0]));
    let v = store(slots['exp_avg_sq'], movingAverage(slots['exp_avg_sq'].tensor(), tf.square(g), betas[1]));
    if (amsgrad) v = store(slots['max_exp_avg_sq'], tf.maximum(slots['max_exp_avg_sq'].tensor(), v));
    const step = tf.mul(tf.div(m, tf.add(tf.sqrt(v), s['eps'])), s['stepSize']);
    const start = decoupled && weight_decay !== 0 ? tf.mul(p, s['shrink']) : p;
    return tf.sub(start, step);
  }
}
