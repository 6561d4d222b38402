// The optimizers by the names NeMo knows them under, with their defaults (PyTorch's, and NeMo's for its own).
import { AdafactorRule } from './rules/adafactor.js';
import { AdamRule } from './rules/adam.js';
import { AdanRule } from './rules/adan.js';
import { AdadeltaRule, AdagradRule, AdamaxRule, RmspropRule } from './rules/adaptive.js';
import { LambRule } from './rules/lamb.js';
import { NovogradRule } from './rules/novograd.js';
import { RpropRule } from './rules/rprop.js';
import { SgdRule } from './rules/sgd.js';
import type { UpdateRule } from './update-rule.js';

/** One optimizer: settings with their defaults, and the arithmetic made of them. */
export interface OptimizerEntry<O extends object = object> {
  readonly doc: string;
  /** Includes `lr`, the base learning rate. */
  readonly defaults: O & { readonly lr: number };
  rule(options: O & { readonly lr: number }): UpdateRule;
}

function entry<O extends object>(
  doc: string,
  defaults: O & { lr: number },
  rule: (options: O & { lr: number }) => UpdateRule,
): OptimizerEntry<O> {
  return { doc, defaults, rule };
}

/** [β₁, β₂] as a tuple type. */
const pair = (a: number, b: number): readonly [number, number] => [a, b];
const triple = (a: number, b: number, c: number): readonly [number, number, number] => [a, b, c];
const noMomentum: number | null = null;

const adam = { lr: 1e-3, betas: pair(0.9, 0.999), eps: 1e-8, weight_decay: 0, amsgrad: false };

export const optimizerCatalog = {
  sgd: entry(
    'stochastic gradient descent with momentum (PyTorch)',
    { lr: 1e-3, momentum: 0, dampening: 0, nesterov: false, weight_decay: 0 },
    (o) => new SgdRule(o),
  ),
  adam: entry('Adam, weight decay added to the gradient (PyTorch)', adam, (o) => {
    return new AdamRule({ ...o, decoupled: false });
  }),
  adamw: entry('Adam with decoupled weight decay (PyTorch)', { ...adam, weight_decay: 0.01 }, (o) => {
    return new AdamRule({ ...o, decoupled: true });
  }),
  adadelta: entry(
    'Adadelta (PyTorch)',
    { lr: 1, rho: 0.9, eps: 1e-6, weight_decay: 0 },
    (o) => new AdadeltaRule(o),
  ),
  adamax: entry(
    'Adam with the infinity norm (PyTorch)',
    { lr: 2e-3, betas: pair(0.9, 0.999), eps: 1e-8, weight_decay: 0 },
    (o) => new AdamaxRule(o),
  ),
  adagrad: entry(
    'Adagrad (PyTorch)',
    { lr: 1e-2, lr_decay: 0, weight_decay: 0, initial_accumulator_value: 0, eps: 1e-10 },
    (o) => new AdagradRule(o),
  ),
  rmsprop: entry(
    'RMSprop (PyTorch)',
    { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0, momentum: 0, centered: false },
    (o) => new RmspropRule(o),
  ),
  rprop: entry(
    'resilient backpropagation (PyTorch); the schedule has no effect after the first step',
    { lr: 1e-2, etas: pair(0.5, 1.2), step_sizes: pair(1e-6, 50) },
    (o) => new RpropRule(o),
  ),
  novograd: entry(
    "NeMo's NovoGrad: one second moment per tensor",
    {
      lr: 1e-3,
      betas: pair(0.95, 0.98),
      eps: 1e-8,
      weight_decay: 0,
      grad_averaging: false,
      amsgrad: false,
      luc: false,
      luc_trust: 1e-3,
      luc_eps: 1e-8,
    },
    (o) => new NovogradRule(o),
  ),
  adafactor: entry(
    'Adafactor: factored second moments; relative_step ignores lr and the schedule',
    {
      lr: 1e-3,
      eps: pair(1e-30, 1e-3),
      clip_threshold: 1,
      decay_rate: -0.8,
      beta1: noMomentum,
      weight_decay: 0,
      scale_parameter: true,
      relative_step: true,
      warmup_init: false,
      min_step: 1e-2,
    },
    (o) => new AdafactorRule(o),
  ),
  adan: entry(
    'Adan: Nesterov momentum from gradient differences',
    {
      lr: 1e-3,
      betas: triple(0.98, 0.92, 0.99),
      eps: 1e-8,
      weight_decay: 0,
      max_grad_norm: 0,
      no_prox: false,
    },
    (o) => new AdanRule(o),
  ),
  lamb: entry(
    'LAMB with the conventions of Apex FusedLAMB',
    {
      lr: 1e-3,
      betas: pair(0.9, 0.999),
      eps: 1e-6,
      weight_decay: 0.01,
      bias_correction: true,
      grad_averaging: true,
      adam_w_mode: true,
      max_grad_norm: 1,
      use_nvlamb: false,
    },
    (o) => new LambRule(o),
  ),
} as const;

export type OptimizerName = keyof typeof optimizerCatalog;
