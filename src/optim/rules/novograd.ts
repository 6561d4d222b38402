// NovoGrad (Ginsburg et al. 2019) as NeMo implements it: one second moment per tensor, so the state is
// about half of Adam's. No bias correction. `luc` limits the step by the parameter's own norm (LARC).
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
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

export interface NovogradOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly grad_averaging: boolean;
  readonly amsgrad: boolean;
  readonly luc: boolean;
  readonly luc_trust: number;
  readonly luc_eps: number;
}

export class NovogradRule implements UpdateRule {
  constructor(private readonly options: NovogradOptions) {}

  scalars(_t: number, lr: number): Record<string, number> {
    return { lr };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    const scalar = { shape: [] };
    return {
      exp_avg: { shape: parameter.shape },
      exp_avg_sq: scalar,
      ...(this.options.amsgrad ? { max_exp_avg_sq: scalar } : {}),
    };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { betas, eps, weight_decay, grad_averaging, amsgrad } = this.options;
    const before = slots['exp_avg_sq'].tensor();
    const norm2 = squaredNorm(gradient);
    // A moment of zero means "nothing seen yet": it starts at the first gradient's norm.
    let v = store(
      slots['exp_avg_sq'],
      tf.where(tf.equal(before, 0), norm2, movingAverage(before, norm2, betas[1])),
    );
    if (amsgrad) v = store(slots['max_exp_avg_sq'], tf.maximum(slots['max_exp_avg_sq'].tensor(), v));
    let g = tf.div(gradient, tf.add(tf.sqrt(v), eps));
    g = withL2(p, g, weight_decay);
    if (grad_averaging) g = tf.mul(g, 1 - betas[0]);
    const m = store(slots['exp_avg'], tf.add(tf.mul(slots['exp_avg'].tensor(), betas[0]), g));
    return tf.sub(p, tf.mul(m, this.stepSize(p, m, s['lr'])));
  }

  private stepSize(p: Tensor, m: Tensor, lr: Tensor): Tensor {
    const { luc, luc_trust, luc_eps } = this.options;
    if (!luc) return lr;
    const trusted = tf.mul(
      tf.div(tf.sqrt(squaredNorm(p)), tf.add(tf.sqrt(squaredNorm(m)), luc_eps)),
      luc_trust,
    );
    return tf.minimum(lr, trusted);
  }
}
