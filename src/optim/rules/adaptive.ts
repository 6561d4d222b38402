// The older adaptive methods of torch.optim: Adagrad, RMSprop, Adadelta, Adamax. Each keeps one or two
// running statistics of the gradient's size and divides by them.
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

export interface AdagradOptions {
  readonly lr_decay: number;
  readonly weight_decay: number;
  readonly initial_accumulator_value: number;
  readonly eps: number;
}

/** Duchi et al. 2011: divide by the root of the sum of all squared gradients so far. */
export class AdagradRule implements UpdateRule {
  constructor(private readonly options: AdagradOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    return { lr: lr / (1 + (t - 1) * this.options.lr_decay) };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { sum: { shape: parameter.shape, fill: this.options.initial_accumulator_value } };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const g = withL2(p, gradient, this.options.weight_decay);
    const sum = store(slots['sum'], tf.add(slots['sum'].tensor(), tf.square(g)));
    return tf.sub(p, tf.mul(tf.div(g, tf.add(tf.sqrt(sum), this.options.eps)), s['lr']));
  }
}

export interface RmspropOptions {
  readonly alpha: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly momentum: number;
  readonly centered: boolean;
}

/** Hinton's RMSprop; `centered` subtracts the squared mean gradient (Graves 2013). */
export class RmspropRule implements UpdateRule {
  constructor(private readonly options: RmspropOptions) {}

  scalars(_t: number, lr: number): Record<string, number> {
    return { lr };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    const sameShape = { shape: parameter.shape };
    return {
      square_avg: sameShape,
      ...(this.options.centered ? { grad_avg: sameShape } : {}),
      ...(this.options.momentum > 0 ? { momentum_buffer: sameShape } : {}),
    };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { alpha, eps, weight_decay, momentum, centered } = this.options;
    const g = withL2(p, gradient, weight_decay);
    let size = store(slots['square_avg'], movingAverage(slots['square_avg'].tensor(), tf.square(g), alpha));
    if (centered) {
      const mean = store(slots['grad_avg'], movingAverage(slots['grad_avg'].tensor(), g, alpha));
      size = tf.sub(size, tf.square(mean));
    }
    let step = tf.div(g, tf.add(tf.sqrt(size), eps));
    if (momentum > 0) {
      const buffer = slots['momentum_buffer'];
      step = store(buffer, tf.add(tf.mul(buffer.tensor(), momentum), step));
    }
    return tf.sub(p, tf.mul(step, s['lr']));
  }
}

export interface AdadeltaOptions {
  readonly rho: number;
  readonly eps: number;
  readonly weight_decay: number;
}

/** Zeiler 2012: steps in units of earlier steps. */
export class AdadeltaRule implements UpdateRule {
  constructor(private readonly options: AdadeltaOptions) {}

  scalars(_t: number, lr: number): Record<string, number> {
    return { lr };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { square_avg: { shape: parameter.shape }, acc_delta: { shape: parameter.shape } };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { rho, eps, weight_decay } = this.options;
    const g = withL2(p, gradient, weight_decay);
    const size = store(slots['square_avg'], movingAverage(slots['square_avg'].tensor(), tf.square(g), rho));
    const travelled = slots['acc_delta'].tensor();
    const step = tf.mul(tf.sqrt(tf.div(tf.add(travelled, eps), tf.add(size, eps))), g);
    store(slots['acc_delta'], movingAverage(travelled, tf.square(step), rho));
    return tf.sub(p, tf.mul(step, s['lr']));
  }
}

export interface AdamaxOptions {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
}

/** Adam with the infinity norm (Kingma & Ba 2015, §7). */
export class AdamaxRule implements UpdateRule {
  constructor(private readonly options: AdamaxOptions) {}

  scalars(t: number, lr: number): Record<string, number> {
    return { lr: lr / (1 - this.options.betas[0] ** t) };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { exp_avg: { shape: parameter.shape }, exp_inf: { shape: parameter.shape } };
  }

  apply(p: Tensor, gradient: Tensor, slots: Slots, s: Scalars): Tensor {
    const { betas, eps, weight_decay } = this.options;
    const g = withL2(p, gradient, weight_decay);
    const m = store(slots['exp_avg'], movingAverage(slots['exp_avg'].tensor(), g, betas[0]));
    const largest = tf.maximum(tf.mul(slots['exp_inf'].tensor(), betas[1]), tf.add(tf.abs(g), eps));
    return tf.sub(p, tf.mul(tf.div(m, store(slots['exp_inf'], largest)), s['lr']));
  }
}
