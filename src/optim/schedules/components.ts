// The schedules by NeMo's names, with their settings and defaults.
import { type ConfigOf, defineSchema, type FieldDefinitions } from '../../config/index.js';
import { type ComponentDescriptor, component, defineKind } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import { countField, flagField, numberField, shareField, sizeField } from '../fields.js';
import * as annealing from './annealing.js';
import { PlateauScheduler } from './plateau.js';
import { FunctionSchedule, type Scheduler } from './scheduler.js';
import { cyclicLr, exponentialLr, stepLr } from './torch.js';

/** What a schedule component builds: a schedule, once the optimizer steps of the run are known (or not). */
export type ScheduleRecipe = (maxSteps: number | undefined) => Scheduler;

/** Schedules as a kind of component: what `optim.sched.name` may name. */
export const schedulerKind = defineKind<ScheduleRecipe>('scheduler', 'a scheduler');

type Rate = (base: number, position: number) => number;

/** Keys every schedule has. */
const commonFields = {
  max_steps: {
    doc: 'Last step of the schedule; null takes it from the trainer.',
    format: 'int',
    min: 1,
    nullable: true,
    default: null,
  },
  interval: {
    doc: 'What is counted; null is what the schedule usually counts.',
    format: ['step', 'epoch'],
    nullable: true,
    default: null,
  },
  monitor: { doc: 'Metric that ReduceLROnPlateau watches.', format: 'string', default: 'val_loss' },
} as const;

const computed = { instead: 'the length of the run is counted from the data', harmless: [null] };
const ignored = {
  reduce_on_plateau: { instead: 'name: ReduceLROnPlateau does it', harmless: [false, null] },
  last_epoch: { instead: 'checkpoints know where to go on', harmless: [-1, null] },
  iters_per_batch: computed,
  t_max_epochs: computed,
  t_accumulate_grad_batches: computed,
  t_limit_train_batches: computed,
  t_num_workers: computed,
};

interface Traits {
  readonly interval?: 'step' | 'epoch';
  /** The formula needs no last step. */
  readonly endless?: boolean;
}

function schedule<const F extends FieldDefinitions>(
  name: string,
  doc: string,
  fields: F,
  rate: (options: ConfigOf<F>, maxSteps: number) => Rate,
  traits: Traits = {},
): ComponentDescriptor {
  const prefix = traits.endless ? 'torch.optim.lr_scheduler' : 'nemo.core.optim.lr_scheduler';
  return component({
    kind: schedulerKind,
    name,
    aliases: [`${prefix}.${name}`],
    schema: defineSchema(name, { ...commonFields, ...fields }, { doc, ignored }),
    create: (options) => (maxSteps) => {
      const { max_steps, interval } = options as ConfigOf<typeof commonFields>;
      const last = max_steps ?? maxSteps;
      if (last === undefined && !traits.endless) throw unknownLength(name);
      const countedUnit = interval ?? traits.interval ?? 'step';
      return new FunctionSchedule(name, rate(options as unknown as ConfigOf<F>, last ?? 0), countedUnit);
    },
  });
}

const warmup = {
  warmup_steps: countField('Steps of linear warm-up.'),
  warmup_ratio: shareField('The same as a share of all steps.'),
  min_lr: sizeField('The rate does not fall below it.', 0),
} as const;
const hold = {
  ...warmup,
  hold_steps: countField('Steps at full rate after the warm-up.'),
  hold_ratio: shareField('The same as a share of all steps.'),
} as const;
const constant = {
  constant_steps: countField('Steps at a constant rate.'),
  constant_ratio: shareField('The same as a share of all steps.'),
} as const;
const polynomial = {
  power: sizeField('Exponent.', 1),
  cycle: flagField('Start again over a longer stretch at the end.', false),
} as const;
const endless = { endless: true };

const plateau = component({
  kind: schedulerKind,
  name: 'ReduceLROnPlateau',
  aliases: ['torch.optim.lr_scheduler.ReduceLROnPlateau'],
  schema: defineSchema(
    'ReduceLROnPlateau',
    {
      monitor: commonFields.monitor,
      mode: { doc: 'Whether less or more is better.', format: ['min', 'max'], default: 'min' },
      factor: { doc: 'The rate is multiplied by it.', format: 'number', min: 0, below: 1, default: 0.1 },
      patience: { doc: 'Validations without improvement that are borne.', format: 'nat', default: 10 },
      threshold: sizeField('Improvement that counts.', 1e-4),
      threshold_mode: { doc: 'Relative or absolute.', format: ['rel', 'abs'], default: 'rel' },
      cooldown: { doc: 'Validations after a reduction that do not count.', format: 'nat', default: 0 },
      min_lr: sizeField('The rate does not fall below it.', 0),
      eps: sizeField('Reductions by less are left out.', 1e-8),
    },
    {
      doc: 'Multiply the rate when a metric stops improving (PyTorch); counts validations.',
      ignored: {
        ...ignored,
        max_steps: computed,
        interval: { instead: 'it counts validations', harmless: [null, 'epoch'] },
      },
    },
  ),
  create:
    ({ monitor, ...options }) =>
    () =>
      new PlateauScheduler(monitor, options),
});

/** NeMo's schedules and those of PyTorch that it knows. */
export const schedulerComponents: readonly ComponentDescriptor[] = [
  schedule('WarmupPolicy', 'Linear warm-up, then constant.', warmup, annealing.warmupPolicy),
  schedule('WarmupHoldPolicy', 'Linear warm-up, hold, then constant.', hold, annealing.warmupHoldPolicy),
  schedule(
    'SquareAnnealing',
    'Square of the share of steps left.',
    { ...warmup, min_lr: sizeField('The rate does not fall below it.', 1e-5) },
    annealing.squareAnnealing,
  ),
  schedule('SquareRootAnnealing', 'Root of the share of steps left.', warmup, annealing.squareRootAnnealing),
  schedule(
    'CosineAnnealing',
    'Half a cosine to min_lr.',
    { ...warmup, ...constant },
    annealing.cosineAnnealing,
  ),
  schedule(
    'NoamAnnealing',
    'lr · d_model^-0.5 · min(s^-0.5, s·warmup^-1.5): lr is a factor, not a rate.',
    { ...warmup, d_model: { doc: 'Width of the model.', format: 'int', min: 1 } },
    annealing.noamAnnealing,
  ),
  schedule(
    'NoamHoldAnnealing',
    'Hold, then lr · warmup^r / (s − hold)^r.',
    { ...hold, decay_rate: numberField('The exponent r.', 0.5) },
    annealing.noamHoldAnnealing,
  ),
  schedule('WarmupAnnealing', 'Linear warm-up, linear to min_lr.', warmup, annealing.warmupAnnealing),
  schedule(
    'InverseSquareRootAnnealing',
    'lr / √((s+1)/(warmup+1)).',
    warmup,
    annealing.inverseSquareRootAnnealing,
  ),
  schedule(
    'T5InverseSquareRootAnnealing',
    '1/√max(s, constant_steps), whatever lr is.',
    { ...constant, min_lr: warmup.min_lr },
    annealing.t5InverseSquareRootAnnealing,
  ),
  schedule(
    'PolynomialDecayAnnealing',
    '(lr − min)·(1 − p)^power + min.',
    { ...warmup, ...polynomial },
    annealing.polynomialDecayAnnealing,
  ),
  schedule(
    'PolynomialHoldDecayAnnealing',
    'Hold, then (lr − min)·(1 − p)^power + min.',
    { ...hold, ...polynomial },
    annealing.polynomialHoldDecayAnnealing,
  ),
  schedule('WarmupHoldAnnealLinear', 'Hold, then linear to min_lr.', hold, annealing.warmupHoldAnnealLinear),
  schedule(
    'WarmupHoldAnnealOneMinusSquareRoot',
    'Hold, then lr·(1 − √p).',
    hold,
    annealing.warmupHoldAnnealOneMinusSquareRoot,
  ),
  schedule(
    'WSD',
    'Warm-up, constant, and a decay to min_lr at the end (MiniCPM; Megatron’s lr_decay_style WSD).',
    {
      ...warmup,
      decay_steps: countField('Steps of the decay (Megatron: lr_wsd_decay_steps).'),
      decay_ratio: shareField('The same as a share of all steps.'),
      decay_style: {
        doc: 'Shape of the decay (Megatron: lr_wsd_decay_style).',
        format: annealing.WSD_DECAYS,
        default: 'exponential',
      },
    },
    annealing.warmupStableDecay,
  ),
  schedule(
    'StepLR',
    'Times gamma every step_size (PyTorch).',
    {
      step_size: { doc: 'Steps between reductions.', format: 'int', min: 1 },
      gamma: sizeField('Factor.', 0.1),
    },
    stepLr,
    endless,
  ),
  schedule(
    'ExponentialLR',
    'Times gamma every epoch (PyTorch).',
    { gamma: { doc: 'Factor.', format: 'number', min: 0 } },
    exponentialLr,
    { endless: true, interval: 'epoch' },
  ),
  schedule(
    'CyclicLR',
    'Triangles between base_lr and max_lr (PyTorch); optim.lr is not used.',
    {
      base_lr: { doc: 'Lowest rate.', format: 'number', min: 0 },
      max_lr: { doc: 'Highest rate.', format: 'number', min: 0 },
      step_size_up: { doc: 'Steps of the way up.', format: 'int', min: 1, default: 2000 },
      step_size_down: {
        doc: 'Steps of the way down; null as many as up.',
        format: 'int',
        min: 1,
        nullable: true,
        default: null,
      },
      mode: {
        doc: 'Same height, half each cycle, or times gamma^s.',
        format: ['triangular', 'triangular2', 'exp_range'],
        default: 'triangular',
      },
      gamma: sizeField('For exp_range.', 1),
    },
    cyclicLr,
    endless,
  ),
  plateau,
];

function unknownLength(name: string): AnemoneError {
  return new AnemoneError({
    code: 'optim.schedule',
    path: 'model.optim.sched.max_steps',
    message: `${name} needs to know the last step`,
    hint: 'set trainer.max_steps or trainer.max_epochs',
  });
}
