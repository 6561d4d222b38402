// An optimizer and a schedule of your own: `optim: {name: signum, sched: {name: Halving}}`.
import { componentConfig, defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { type Tensor, tf } from '../../src/engine/index.js';
import type { Parameter } from '../../src/nn/index.js';
import {
  FunctionSchedule,
  optimizerKind,
  type Scalars,
  type SlotSpec,
  type Slots,
  schedulerKind,
  type UpdateRule,
} from '../../src/optim/index.js';

/** Signum (Bernstein et al. 2018): steps of one size in the direction of a momentum's sign. */
class SignumRule implements UpdateRule {
  constructor(private readonly beta: number) {}

  scalars(_t: number, lr: number): Record<string, number> {
    return { lr };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { momentum: { shape: parameter.shape } };
  }

  apply(p: Tensor, g: Tensor, { momentum }: Slots, { lr }: Scalars): Tensor {
    const mean = tf.add(tf.mul(momentum.tensor(), this.beta), tf.mul(g, 1 - this.beta));
    momentum.assign(mean);
    return tf.sub(p, tf.mul(tf.sign(mean), lr));
  }
}

export const signum = component({
  kind: optimizerKind,
  name: 'signum',
  schema: defineSchema('signum', {
    lr: { doc: 'Size of a step.', format: 'number', above: 0, default: 1e-3 },
    beta: { doc: 'Share of the momentum that stays.', format: 'number', min: 0, below: 1, default: 0.9 },
    sched: {
      doc: 'Schedule of the rate.',
      format: componentConfig(schedulerKind.kind, { nameKey: 'name' }),
      nullable: true,
      default: null,
    },
  }),
  create: ({ lr, beta }) => ({ lr, rule: () => new SignumRule(beta) }),
});

export const halving = component({
  kind: schedulerKind,
  name: 'Halving',
  schema: defineSchema('Halving', {
    every: { doc: 'Steps after which the rate is half of what it was.', format: 'int', min: 1 },
  }),
  create:
    ({ every }) =>
    () =>
      new FunctionSchedule('Halving', (base, step) => base * 0.5 ** Math.floor(step / every)),
});
