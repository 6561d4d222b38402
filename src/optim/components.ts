// The optimizers by the names NeMo knows them under, with their settings and defaults (PyTorch's, and
// NeMo's for its own).
import { componentConfig, defineSchema, listOf } from '../config/index.js';
import { type ComponentDescriptor, component, defineKind } from '../container/index.js';
import {
  decayPairField,
  decayTripleField,
  flagField,
  numberField,
  pairField,
  partField,
  sizeField,
} from './fields.js';
import { AdafactorRule } from './rules/adafactor.js';
import { AdamRule } from './rules/adam.js';
import { AdanRule } from './rules/adan.js';
import { AdadeltaRule, AdagradRule, AdamaxRule, RmspropRule } from './rules/adaptive.js';
import { LambRule } from './rules/lamb.js';
import { LionRule } from './rules/lion.js';
import { MuonRule } from './rules/muon.js';
import { NovogradRule } from './rules/novograd.js';
import { RpropRule } from './rules/rprop.js';
import { SgdRule } from './rules/sgd.js';
import type { UpdateRule } from './update-rule.js';

/** What an optimizer component builds: the arithmetic, and the base learning rate it was given. */
export interface OptimizerRecipe {
  readonly lr: number;
  /**
   * The arithmetic for one parameter group.
   * @param lr base rate of the group, `lr` times its scale
   */
  rule(lr: number): UpdateRule;
}

/** Optimizers as a kind of component: what `optim.name` may name. */
export const optimizerKind = defineKind<OptimizerRecipe>('optimizer', 'an optimizer');

const lr = (value: number) => sizeField('Base learning rate, shaped by the schedule.', value);
const decay = (value: number) => sizeField('Weight decay.', value);
const eps = (value: number) => sizeField('Added to the denominator.', value);
const betas = (a: number, b: number) => decayPairField('Decay of the moments.', a, b);
const sched = {
  doc: 'Learning-rate schedule; null keeps the rate constant.',
  format: componentConfig('scheduler', { nameKey: 'name' }),
  nullable: true,
  default: null,
} as const;

const adamFields = {
  lr: lr(1e-3),
  betas: betas(0.9, 0.999),
  eps: eps(1e-8),
  amsgrad: flagField('Divide by the greatest second moment so far.', false),
  sched,
} as const;

const torch = (name: string) => [`torch.optim.${name}`];

/** NeMo's optimizers and those of PyTorch that it knows. */
export const optimizerComponents: readonly ComponentDescriptor[] = [
  component({
    kind: optimizerKind,
    name: 'sgd',
    aliases: torch('SGD'),
    schema: defineSchema(
      'sgd',
      {
        lr: lr(1e-3),
        momentum: sizeField('Share of the velocity that stays.', 0),
        dampening: numberField('Share of a gradient that does not enter the velocity.', 0),
        nesterov: flagField("Nesterov's step.", false),
        weight_decay: decay(0),
        sched,
      },
      {
        doc: 'Stochastic gradient descent with momentum (PyTorch).',
        refine: ({ nesterov, momentum, dampening }, report) => {
          if (nesterov && (momentum === 0 || dampening !== 0)) {
            report('nesterov', 'needs momentum above 0 and dampening 0');
          }
        },
      },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new SgdRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adam',
    aliases: torch('Adam'),
    schema: defineSchema(
      'adam',
      { ...adamFields, weight_decay: decay(0) },
      { doc: 'Adam; weight decay is added to the gradient (PyTorch).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdamRule({ ...o, decoupled: false }) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adamw',
    aliases: torch('AdamW'),
    schema: defineSchema(
      'adamw',
      { ...adamFields, weight_decay: decay(0.01) },
      { doc: 'Adam with decoupled weight decay (PyTorch).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdamRule({ ...o, decoupled: true }) }),
  }),
  component({
    kind: optimizerKind,
    name: 'fused_adam',
    aliases: ['megatron_fused_adam', 'distributed_fused_adam'],
    schema: defineSchema(
      'fused_adam',
      { ...adamFields, weight_decay: decay(0) },
      { doc: 'Adam with decoupled weight decay, by the names of Megatron’s configs (Apex).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdamRule({ ...o, decoupled: true }) }),
  }),
  component({
    kind: optimizerKind,
    name: 'lion',
    aliases: ['lion_pytorch.Lion'],
    schema: defineSchema(
      'lion',
      { lr: lr(1e-4), betas: betas(0.9, 0.99), weight_decay: decay(0), sched },
      {
        doc: 'Steps of one size by the sign of a momentum (Chen et al. 2023); rates are 3 to 10 times smaller than Adam’s.',
      },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new LionRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'muon',
    aliases: torch('Muon'),
    schema: defineSchema(
      'muon',
      {
        lr: lr(2e-2),
        momentum: partField('Share of the momentum that stays.', 0.95),
        nesterov: flagField('The gradient enters the step once more.', true),
        weight_decay: decay(0),
        ns_steps: { doc: 'Newton–Schulz steps.', format: 'int', min: 1, max: 20, default: 5 },
        adjust_lr: {
          doc: 'Size of a step by the shape of a matrix: √max(1, out/in), or 0.2·√max(out, in) as large as AdamW’s.',
          format: ['original', 'match_rms_adamw'],
          default: 'original',
        },
        adamw: {
          doc: 'Patterns over names of matrices that AdamW updates, as it does vectors, embeddings and heads of language models.',
          format: listOf('string'),
          default: [],
        },
        adamw_lr_scale: sizeField('Rate of what AdamW updates, as a factor of lr.', 0.015),
        betas: betas(0.9, 0.95),
        eps: eps(1e-8),
        sched,
      },
      { doc: 'Orthogonal momentum for matrices (Jordan et al. 2024), AdamW for the rest.' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new MuonRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adadelta',
    aliases: torch('Adadelta'),
    schema: defineSchema(
      'adadelta',
      {
        lr: lr(1),
        rho: partField('Decay of the averages.', 0.9),
        eps: eps(1e-6),
        weight_decay: decay(0),
        sched,
      },
      { doc: 'Adadelta (PyTorch).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdadeltaRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adamax',
    aliases: torch('Adamax'),
    schema: defineSchema(
      'adamax',
      { lr: lr(2e-3), betas: betas(0.9, 0.999), eps: eps(1e-8), weight_decay: decay(0), sched },
      { doc: 'Adam with the infinity norm (PyTorch).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdamaxRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adagrad',
    aliases: torch('Adagrad'),
    schema: defineSchema(
      'adagrad',
      {
        lr: lr(1e-2),
        lr_decay: sizeField('The rate is divided by 1 + (t−1)·lr_decay.', 0),
        weight_decay: decay(0),
        initial_accumulator_value: sizeField('Start of the sum of squares.', 0),
        eps: eps(1e-10),
        sched,
      },
      { doc: 'Adagrad (PyTorch).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdagradRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'rmsprop',
    aliases: torch('RMSprop'),
    schema: defineSchema(
      'rmsprop',
      {
        lr: lr(1e-2),
        alpha: partField('Decay of the averages.', 0.99),
        eps: eps(1e-8),
        weight_decay: decay(0),
        momentum: sizeField('Share of the velocity that stays.', 0),
        centered: flagField('Subtract the squared mean gradient.', false),
        sched,
      },
      { doc: 'RMSprop (PyTorch).' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new RmspropRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'rprop',
    aliases: torch('Rprop'),
    schema: defineSchema(
      'rprop',
      {
        lr: lr(1e-2),
        etas: pairField('Factors of the step size after a change of sign and without one.', 0.5, 1.2),
        step_sizes: pairField('Least and greatest step size.', 1e-6, 50),
        sched,
      },
      {
        doc: 'Resilient backpropagation (PyTorch). The rate is the first step size; a schedule has no effect.',
        refine: ({ etas: [less, more], step_sizes: [least, greatest] }, report) => {
          if (!(less > 0 && less < 1 && more > 1)) {
            report('etas', `expected a factor between 0 and 1 and one above 1, got [${less}, ${more}]`);
          }
          if (least > greatest) report('step_sizes', `${least} is above ${greatest}`);
        },
      },
    ),
    create: (o) => ({ lr: o.lr, rule: (rate) => new RpropRule({ ...o, lr: rate }) }),
  }),
  component({
    kind: optimizerKind,
    name: 'novograd',
    aliases: ['nemo.core.optim.novograd.Novograd'],
    schema: defineSchema(
      'novograd',
      {
        lr: lr(1e-3),
        betas: betas(0.95, 0.98),
        eps: eps(1e-8),
        weight_decay: decay(0),
        grad_averaging: flagField('Take 1−β₁ of each gradient.', false),
        amsgrad: flagField('Divide by the greatest second moment so far.', false),
        luc: flagField("Limit the step by the parameter's norm (LARC).", false),
        luc_trust: sizeField('Largest step relative to that norm.', 1e-3),
        luc_eps: sizeField('Added to its denominator.', 1e-8),
        sched,
      },
      { doc: "NeMo's NovoGrad: one second moment per tensor." },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new NovogradRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adafactor',
    aliases: ['nemo.core.optim.adafactor.Adafactor'],
    schema: defineSchema(
      'adafactor',
      {
        lr: {
          doc: 'Base learning rate; not used with relative_step.',
          format: 'number',
          min: 0,
          nullable: true,
          default: null,
        },
        eps: pairField("Added to squares; least scale by the parameter's size.", 1e-30, 1e-3),
        clip_threshold: sizeField('Limit of the RMS of an update.', 1),
        decay_rate: {
          doc: 'β₂ = 1 − t^decay_rate, so it is not above 0.',
          format: 'number',
          max: 0,
          default: -0.8,
        },
        beta1: {
          doc: 'Momentum; null for none.',
          format: 'number',
          min: 0,
          below: 1,
          nullable: true,
          default: null,
        },
        weight_decay: decay(0),
        scale_parameter: flagField("Scale the rate by the parameter's RMS.", true),
        relative_step: flagField('Rate 1/√t, at most min_step; lr and schedule are not used.', true),
        warmup_init: flagField('Start the relative rate at 1e-6·t.', false),
        min_step: sizeField('Limit of the relative rate.', 1e-2),
        sched,
      },
      {
        doc: 'Adafactor: second moments of matrices as row and column means.',
        refine: (o, report) => {
          if (!o.relative_step && o.lr === null) report('lr', 'needed when relative_step is false');
        },
      },
    ),
    create: (o) => ({ lr: o.lr ?? 0, rule: () => new AdafactorRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'adan',
    aliases: ['nemo.core.optim.adan.Adan'],
    schema: defineSchema(
      'adan',
      {
        lr: lr(1e-3),
        betas: decayTripleField('Decay of the moments.', 0.98, 0.92, 0.99),
        eps: eps(1e-8),
        weight_decay: decay(0),
        max_grad_norm: sizeField("Limit of the group's gradient norm; 0 for none.", 0),
        no_prox: flagField('Decay before the step, as AdamW, instead of after it.', false),
        sched,
      },
      { doc: 'Adan: Nesterov momentum from gradient differences.' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new AdanRule(o) }),
  }),
  component({
    kind: optimizerKind,
    name: 'lamb',
    aliases: ['apex.optimizers.FusedLAMB'],
    schema: defineSchema(
      'lamb',
      {
        lr: lr(1e-3),
        betas: betas(0.9, 0.999),
        eps: eps(1e-6),
        weight_decay: decay(0.01),
        bias_correction: flagField('Correct the moments for their start at zero.', true),
        grad_averaging: flagField('Take 1−β₁ of each gradient.', true),
        adam_w_mode: flagField('Decoupled weight decay.', true),
        max_grad_norm: sizeField("Limit of the group's gradient norm; 0 for none.", 1),
        use_nvlamb: flagField('Scale tensors without weight decay too.', false),
        sched,
      },
      { doc: 'LAMB with the conventions of Apex FusedLAMB.' },
    ),
    create: (o) => ({ lr: o.lr, rule: () => new LambRule(o) }),
  }),
];
