// An optimizer and a schedule of your own: `optim: {name: lion, sched: {name: Halving}}`.
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

/** Lion (Chen et al. 2023): steps of one size in the direction of a momentum's sign. */
class LionRule implements UpdateRule {
  constructor(private readonly betas: readonly [number, number]) {}

  scalars(_t: number, lr: number): Record<string, number> {
    return { lr };
  }

  slots(parameter: Parameter): Record<string, SlotSpec> {
    return { momentum: { shape: parameter.shape } };
  }

  apply(p: Tensor, g: Tensor, { momentum }: Slots, { lr }: Scalars): Tensor {
    const [forStep, forLater] = this.betas;
    const old = momentum.tensor();
    const direction = tf.sign(tf.add(tf.mul(old, forStep), tf.mul(g, 1 - forStep)));
    momentum.assign(tf.add(tf.mul(old, forLater), tf.mul(g, 1 - forLater)));
    return tf.sub(p, tf.mul(direction, lr));
  }
}

export const lion = component({
  kind: optimizerKind,
  name: 'lion',
  schema: defineSchema('lion', {
    lr: { doc: 'Size of a step.', format: 'number', above: 0, default: 1e-3 },
    beta1: {
      doc: 'Share of the momentum in the direction.',
      format: 'number',
      min: 0,
      below: 1,
      default: 0.9,
    },
    beta2: { doc: 'Share of the momentum that stays.', format: 'number', min: 0, below: 1, default: 0.99 },
    sched: {
      doc: 'Schedule of the rate.',
      format: componentConfig(schedulerKind.kind, { nameKey: 'name' }),
      nullable: true,
      default: null,
    },
  }),
  create: ({ lr, beta1, beta2 }) => ({ lr, rule: () => new LionRule([beta1, beta2]) }),
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
