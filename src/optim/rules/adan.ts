// Adan (Xie et al. 2022): Nesterov momentum from gradient differences.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { clipByNorm, globalNorm } from '../clip.js';
import {
  movingAverage,
  type Scalars,
  type SlotSpec,
  type Slots,
  store,
  type UpdateRule,
} from '../update-rule.js';

export interface AdanOptions {
  readonly betas: readonly [number, number, number];
  readonly eps: number;
  readonly weight_decay: number;
  /** Common gradient norm is limited to this; 0 turns the limit off. */
  readonly max_grad_norm: number;
  /** Decay before the step (as AdamW) instead of the proximal division after it. */
  readonly no_prox: boolean;
}

export class AdanRule implements UpdateRule {
  constructor(private readonly options: AdanOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    const [beta1, beta2, beta3] = this.options.betas;
    const decay = lr * this.options.weight_decay;
    return {
      // The first gradient has nothing to differ from.
      differs: t === 1 ? 0 : 1,
      root: 1 / Math.sqrt(1 - beta3 ** t),
      mainStep: lr / (1 - beta1 ** t),
      differenceStep: (lr * beta2) / (1 - beta2 ** t),
      shrink: this.options.no_prox ? 1 - decay : 1 / (1 + decay),
    };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    const sameShape = { shape: parameter.shape };
    return { exp_avg: sameShape, exp_avg_sq: sameShape, exp_avg_diff: sameShape, pre_grad: sameShape };
  }

  prepare(grads: readonly Tensor[]): readonly Tensor[] {
    const { max_grad_norm } = this.options;
    return max_grad_norm === 0 ? grads : clipByNorm(grads, globalNorm(grads), max_grad_norm);
  }

  apply(p: Tensor, g: Tensor, slots: Slots, s: Scalars): Tensor {
    const { betas, eps, weight_decay, no_prox } = this.options;
    const difference = tf.mul(tf.sub(g, slots['pre_grad'].tensor()), s['differs']);
    store(slots['pre_grad'], g);
    const m = store(slots['exp_avg'], movingAverage(slots['exp_avg'].tensor(), g, betas[0]));
    const n = store(
      slots['exp_avg_diff'],
      movingAverage(slots['exp_avg_diff'].tensor(), difference, betas[1]),
    );
    const ahead = tf.square(tf.add(g, tf.mul(difference, betas[1])));
    const q = store(slots['exp_avg_sq'], movingAverage(slots['exp_avg_sq'].tensor(), ahead, betas[2]));
    const denominator = tf.add(tf.mul(tf.sqrt(q), s['root']), eps);
    const step = tf.div(tf.add(tf.mul(m, s['mainStep']), tf.mul(n, s['differenceStep'])), denominator);
    if (weight_decay === 0) return tf.sub(p, step);
    return no_prox ? tf.sub(tf.mul(p, s['shrink']), step) : tf.mul(tf.sub(p, step), s['shrink']);
  }
}
