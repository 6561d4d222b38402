// Stochastic gradient descent with momentum, dampening and Nesterov's step, as torch.optim.SGD.
import { type Tensor, tf } from '../../engine/index.js';
import type { Parameter } from '../../nn/index.js';
import { type Scalars, type SlotSpec, type Slots, store, type UpdateRule, withL2 } from '../update-rule.js';

export interface SgdOptions {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weight_decay: number;
}

export class SgdRule implements UpdateRule {
  constructor(private readonly options: SgdOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    // The first gradient enters the buffer whole, whatever the dampening.
    return { lr, intake: t === 1 ? 1 : 1 - this.options.dampening };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return this.options.momentum === 0 ? {} : { momentum_buffer: { shape: parameter.shape } };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { momentum, dampening, nesterov, weight_decay } = this.options;
    let g = withL2(p, gradient, weight_decay);
    if (momentum !== 0) {
      const intake = dampening === 0 ? g : tf.mul(g, s['intake']);
      const buffer = slots['momentum_buffer'];
      const velocity = store(buffer, tf.add(tf.mul(buffer.tensor(), momentum), intake));
      g = nesterov ? tf.add(g, tf.mul(velocity, momentum)) : velocity;
    }
    return tf.sub(p, tf.mul(g, s['lr']));
  }
}
