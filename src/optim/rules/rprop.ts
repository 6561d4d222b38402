// Resilient backpropagation (Riedmiller & Braun 1993), as torch.optim.Rprop: only the gradient's sign
// counts, and every element has a step size of its own. The learning rate is the first step size; a
// schedule changes nothing afterwards.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { type SlotSpec, type Slots, store, type UpdateRule } from '../update-rule.js';

export interface RpropOptions {
  readonly lr: number;
  readonly etas: readonly [number, number];
  readonly step_sizes: readonly [number, number];
}

export class RpropRule implements UpdateRule {
  constructor(private readonly options: RpropOptions) {}

  scalars(): Record<string, number> {
    return {};
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { prev: { shape: parameter.shape }, step_size: { shape: parameter.shape, fill: this.options.lr } };
  }

  apply(p: Tensor, g: Tensor, slots: Slots): Tensor {
    const [shrink, grow] = this.options.etas;
    const [least, most] = this.options.step_sizes;
    const agreement = tf.mul(g, slots['prev'].tensor());
    const sign = tf.sign(agreement);
    // 1 + (grow−1)·[sign>0] + (shrink−1)·[sign<0], without a branch.
    const factor = tf.add(
      tf.add(tf.mul(tf.relu(sign), grow - 1), tf.mul(tf.relu(tf.neg(sign)), shrink - 1)),
      1,
    );
    const size = store(
      slots['step_size'],
      tf.clipByValue(tf.mul(slots['step_size'].tensor(), factor), least, most),
    );
    // An element whose gradient changed its sign rests for one step.
    const direction = store(slots['prev'], tf.where(tf.less(agreement, 0), tf.zerosLike(g), g));
    return tf.sub(p, tf.mul(tf.sign(direction), size));
  }
}
