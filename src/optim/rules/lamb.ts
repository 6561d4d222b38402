// LAMB (You et al. 2020) with the conventions of Apex's FusedLAMB: Adam's direction, scaled per tensor by
// ‖p‖/‖direction‖; the common gradient norm is limited first. Tensors without weight decay get no scaling
// unless `use_nvlamb`.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { globalNorm } from '../clip.js';
import {
  movingAverage,
  type Scalars,
  type SlotSpec,
  type Slots,
  squaredNorm,
  store,
  type UpdateRule,
  withL2,
} from '../update-rule.js';

export interface LambOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly bias_correction: boolean;
  readonly grad_averaging: boolean;
  readonly adam_w_mode: boolean;
  /** Limit of the group's common gradient norm; 0 turns it off. */
  readonly max_grad_norm: number;
  readonly use_nvlamb: boolean;
}

export class LambRule implements UpdateRule {
  constructor(private readonly options: LambOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    const { betas, bias_correction } = this.options;
    return {
      lr,
      correction1: bias_correction ? 1 / (1 - betas[0] ** t) : 1,
      root2: bias_correction ? 1 / Math.sqrt(1 - betas[1] ** t) : 1,
    };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { exp_avg: { shape: parameter.shape }, exp_avg_sq: { shape: parameter.shape } };
  }

  prepare(grads: readonly Tensor[]): readonly Tensor[] {
    const { max_grad_norm } = this.options;
    if (max_grad_norm === 0) return grads;
    const factor = tf.div(max_grad_norm, tf.maximum(globalNorm(grads), max_grad_norm));
    return grads.map((g) => tf.mul(g, factor));
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { betas, eps, weight_decay, grad_averaging, adam_w_mode, use_nvlamb } = this.options;
    const g = adam_w_mode ? gradient : withL2(p, gradient, weight_decay);
    const intake = grad_averaging ? tf.mul(g, 1 - betas[0]) : g;
    const m = store(slots['exp_avg'], tf.add(tf.mul(slots['exp_avg'].tensor(), betas[0]), intake));
    const v = store(slots['exp_avg_sq'], movingAverage(slots['exp_avg_sq'].tensor(), tf.square(g), betas[1]));
    const adam = tf.div(tf.mul(m, s['correction1']), tf.add(tf.mul(tf.sqrt(v), s['root2']), eps));
    const direction = adam_w_mode ? withL2(p, adam, weight_decay) : adam;
    const scaled = weight_decay !== 0 || use_nvlamb;
    const rate = scaled ? tf.mul(s['lr'], trustRatio(p, direction)) : s['lr'];
    return tf.sub(p, tf.mul(direction, rate));
  }
}

/** ‖p‖/‖u‖, or 1 where either is zero. */
function trustRatio(p: Tensor, u: Tensor): Tensor {
  const pNorm = tf.sqrt(squaredNorm(p));
  const uNorm = tf.sqrt(squaredNorm(u));
  const hasBothNorms = tf.logicalAnd(tf.greater(pNorm, 0), tf.greater(uNorm, 0));
  const one = tf.scalar(1);
  return tf.where(hasBothNorms, tf.div(pNorm, tf.where(hasBothNorms, uNorm, one)), one);
}
