// Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"): steps of one size, in the direction of the sign of a
// momentum that the gradient enters twice, with decoupled weight decay.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { movingAverage, type Scalars, type SlotSpec, type Slots, store, type UpdateRule } from '../update-rule.js'; // biome-ignore format: one line

export interface LionOptions {
  /** Share of the momentum in the direction of a step, and in the momentum of the next. */
  readonly betas: readonly [number, number];
  readonly weight_decay: number;
}

export class LionRule implements UpdateRule {
  constructor(private readonly options: LionOptions) {}

  scalars(_t: number, lr: number): Record<string, number> {
    return { lr, shrink: 1 - lr * this.options.weight_decay };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { exp_avg: { shape: parameter.shape } };
  }

  apply(p: Tensor, g: Tensor, slots: Slots, s: Scalars): Tensor {
    const { betas, weight_decay } = this.options;
    const momentum = slots['exp_avg'].tensor();
    const step = tf.mul(tf.sign(movingAverage(momentum, g, betas[0])), s['lr']);
    store(slots['exp_avg'], movingAverage(momentum, g, betas[1]));
    return tf.sub(weight_decay === 0 ? p : tf.mul(p, s['shrink']), step);
  }
}
