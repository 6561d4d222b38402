// The schedules by NeMo's names, with their settings and defaults.
import * as annealing from './annealing.js';
import { cyclicLr, exponentialLr, stepLr } from './torch.js';

export type RateFunction = (base: number, position: number) => number;

export interface ScheduleEntry<O extends object = object> {
  readonly doc: string;
  readonly defaults: O;
  /** What the schedule counts when `sched.interval` does not say. */
  readonly interval: 'step' | 'epoch';
  /** Its formula contains the last step, so that max_steps must be known. */
  readonly needsMaxSteps: boolean;
  rate(options: O, maxSteps: number): RateFunction;
}

function entry<O extends object>(
  doc: string,
  defaults: O,
  rate: (options: O, maxSteps: number) => RateFunction,
  traits: { interval?: 'step' | 'epoch'; needsMaxSteps?: boolean } = {},
): ScheduleEntry<O> {
  return {
    doc,
    defaults,
    interval: traits.interval ?? 'step',
    needsMaxSteps: traits.needsMaxSteps ?? true,
    rate,
  };
}

const none: number | null = null;
const warmup = { warmup_steps: none, warmup_ratio: none, min_lr: 0 };
const hold = { ...warmup, hold_steps: none, hold_ratio: none };
const constant = { constant_steps: none, constant_ratio: none };
const free = { needsMaxSteps: false };

export const scheduleCatalog = {
  WarmupPolicy: entry('linear warm-up, then constant', warmup, annealing.warmupPolicy),
  WarmupHoldPolicy: entry('linear warm-up, hold, then constant', hold, annealing.warmupHoldPolicy),
  SquareAnnealing: entry(
    'square of the share of steps left',
    { ...warmup, min_lr: 1e-5 },
    annealing.squareAnnealing,
  ),
  SquareRootAnnealing: entry('root of the share of steps left', warmup, annealing.squareRootAnnealing),
  CosineAnnealing: entry('half a cosine to min_lr', { ...warmup, ...constant }, annealing.cosineAnnealing),
  NoamAnnealing: entry(
    'lr · d_model^-0.5 · min(s^-0.5, s·warmup^-1.5): lr is a factor, not a rate',
    { ...warmup, d_model: 512 },
    annealing.noamAnnealing,
  ),
  NoamHoldAnnealing: entry(
    'hold, then lr · warmup^r / (s − hold)^r',
    { ...hold, decay_rate: 0.5 },
    annealing.noamHoldAnnealing,
  ),
  WarmupAnnealing: entry('linear warm-up, linear to min_lr', warmup, annealing.warmupAnnealing),
  InverseSquareRootAnnealing: entry('lr / √((s+1)/(warmup+1))', warmup, annealing.inverseSquareRootAnnealing),
  T5InverseSquareRootAnnealing: entry(
    '1/√max(s, constant_steps), whatever lr is',
    { ...constant, min_lr: 0 },
    annealing.t5InverseSquareRootAnnealing,
  ),
  PolynomialDecayAnnealing: entry(
    '(lr − min)·(1 − p)^power + min',
    { ...warmup, power: 1, cycle: false },
    annealing.polynomialDecayAnnealing,
  ),
  PolynomialHoldDecayAnnealing: entry(
    'hold, then (lr − min)·(1 − p)^power + min',
    { ...hold, power: 1, cycle: false },
    annealing.polynomialHoldDecayAnnealing,
  ),
  WarmupHoldAnnealLinear: entry('hold, then linear to min_lr', hold, annealing.warmupHoldAnnealLinear),
  WarmupHoldAnnealOneMinusSquareRoot: entry(
    'hold, then lr·(1 − √p)',
    hold,
    annealing.warmupHoldAnnealOneMinusSquareRoot,
  ),
  StepLR: entry('times gamma every step_size (PyTorch)', { step_size: 1, gamma: 0.1 }, stepLr, free),
  ExponentialLR: entry('times gamma every epoch (PyTorch)', { gamma: 0.9 }, exponentialLr, {
    interval: 'epoch',
    needsMaxSteps: false,
  }),
  CyclicLR: entry(
    'triangles between base_lr and max_lr (PyTorch)',
    { base_lr: 1e-4, max_lr: 1e-3, step_size_up: 2000, step_size_down: none, mode: 'triangular', gamma: 1 },
    cyclicLr,
    free,
  ),
} as const;
