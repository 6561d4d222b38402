// NeMo's schedules as functions (base rate, step) → rate. s: step, W: warm-up, H: end of hold, M: last step.
import { AnemoneError } from '../../errors/index.js';
import {
  type HoldOptions,
  held,
  type Phases,
  phases,
  stepsOrRatio,
  type WarmupOptions,
  warmedUp,
} from './warmup.js';

type Rate = (base: number, step: number) => number;

/** Constant after warm-up. */
export function warmupPolicy(options: WarmupOptions, maxSteps: number): Rate {
  return warmedUp(phases(options, maxSteps), options.min_lr, (base) => base);
}

/** Warm-up, hold, constant: the base of the family. */
export function warmupHoldPolicy(options: HoldOptions, maxSteps: number): Rate {
  return held(phases(options, maxSteps), options.min_lr, (base) => base);
}

/** Share of the way from W to M still to go. */
function remaining({ warmup, max }: Phases, step: number): number {
  return (max - step) / (max - warmup);
}

export function squareAnnealing(options: WarmupOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return warmedUp(span, options.min_lr, (base, s) =>
    Math.max(options.min_lr, base * remaining(span, s) ** 2),
  );
}

/** √ of the share of all steps still to go; the warm-up is not taken off (NeMo's quirk). */
export function squareRootAnnealing(options: WarmupOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return warmedUp(span, options.min_lr, (base, s) =>
    Math.max(options.min_lr, base * Math.sqrt((span.max - s) / span.max)),
  );
}

export interface CosineOptions extends WarmupOptions {
  readonly constant_steps: number | null;
  readonly constant_ratio: number | null;
}

/** Half a cosine from lr to min_lr; with constant steps at min_lr at the end, and then a warm-up lr·s/W. */
export function cosineAnnealing(options: CosineOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  const constant = stepsOrRatio('constant', options.constant_steps, options.constant_ratio, maxSteps);
  const min = options.min_lr;
  const wave = (base: number, p: number) => min + (base - min) * 0.5 * (1 + Math.cos(Math.PI * p));
  if (constant === 0) return warmedUp(span, min, (base, s) => wave(base, 1 - remaining(span, s)));
  const decay = maxSteps - constant - span.warmup;
  return (base, s) => {
    if (span.warmup > 0 && s <= span.warmup) return (base * s) / span.warmup;
    return s > span.warmup + decay ? min : wave(base, (s - span.warmup) / decay);
  };
}

export interface NoamOptions extends WarmupOptions {
  /** Model width: the peak is about lr / √(d_model · warmup_steps). */
  readonly d_model: number;
}

/** Vaswani et al. 2017. Here `lr` is a factor, not a rate: 5 is common. There is no end at M. */
export function noamAnnealing(options: NoamOptions, maxSteps: number): Rate {
  const { warmup } = phases(options, maxSteps);
  if (warmup <= 0) {
    throw new AnemoneError({
      code: 'optim.schedule',
      path: 'model.optim.sched.warmup_steps',
      message: 'NoamAnnealing needs a warm-up of at least one step',
      hint: 'set warmup_steps or warmup_ratio',
    });
  }
  return (base, step) => {
    const s = Math.max(1, step);
    const rate = (base * Math.min(s ** -0.5, s * warmup ** -1.5)) / Math.sqrt(options.d_model);
    return s > warmup ? Math.max(rate, options.min_lr) : rate;
  };
}

export interface NoamHoldOptions extends HoldOptions {
  readonly decay_rate: number;
}

/** Squeezeformer's schedule: hold, then lr·W^r / (s − hold)^r. */
export function noamHoldAnnealing(options: NoamHoldOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  const holdSteps = span.hold - span.warmup;
  const top = Math.max(1, span.warmup ** options.decay_rate);
  return held(span, options.min_lr, (base, s) =>
    Math.max(options.min_lr, (base * top) / Math.max(1, (s - holdSteps) ** options.decay_rate)),
  );
}

/** Linear from lr to min_lr. */
export function warmupAnnealing(options: WarmupOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return warmedUp(
    span,
    options.min_lr,
    (base, s) => options.min_lr + remaining(span, s) * (base - options.min_lr),
  );
}

export function inverseSquareRootAnnealing(options: WarmupOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return warmedUp(span, options.min_lr, (base, s) => base * Math.sqrt((span.warmup + 1) / (s + 1)));
}

export interface T5Options {
  readonly constant_steps: number | null;
  readonly constant_ratio: number | null;
  readonly min_lr: number;
}

/** 1/√max(s, C), whatever the base rate. */
export function t5InverseSquareRootAnnealing(options: T5Options, maxSteps: number): Rate {
  const constant = stepsOrRatio('constant', options.constant_steps, options.constant_ratio, maxSteps);
  if (constant <= 0) {
    throw new AnemoneError({
      code: 'optim.schedule',
      path: 'model.optim.sched.constant_steps',
      message: 'T5InverseSquareRootAnnealing needs constant_steps or constant_ratio',
    });
  }
  return (_base, s) => (s > maxSteps ? options.min_lr : 1 / Math.sqrt(Math.max(s, constant)));
}

export interface PolynomialOptions extends WarmupOptions {
  readonly power: number;
  /** Start again, over a longer stretch, when the end is reached. */
  readonly cycle: boolean;
}

function polynomial(options: PolynomialOptions, base: number, step: number, length: number): number {
  const { power, cycle, min_lr } = options;
  const rounds = cycle && step > 0 ? Math.ceil(step / length) : 1;
  const p = cycle ? step / (length * rounds) : Math.min(step, length) / length;
  return (base - min_lr) * (1 - p) ** power + min_lr;
}

export function polynomialDecayAnnealing(options: PolynomialOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return warmedUp(span, options.min_lr, (base, s) =>
    polynomial(options, base, s - span.warmup, maxSteps - span.warmup),
  );
}

export function polynomialHoldDecayAnnealing(
  options: PolynomialOptions & HoldOptions,
  maxSteps: number,
): Rate {
  const span = phases(options, maxSteps);
  return held(span, options.min_lr, (base, s) =>
    polynomial(options, base, s - span.hold, maxSteps - span.hold),
  );
}

/** Hold, then linear to min_lr. */
export function warmupHoldAnnealLinear(options: HoldOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return held(span, options.min_lr, (base, s) => {
    const p = (s - span.hold) / (maxSteps - span.hold);
    return base * (1 - p) + options.min_lr * p;
  });
}

/** Hold, then lr·(1 − √p), not below min_lr. */
export function warmupHoldAnnealOneMinusSquareRoot(options: HoldOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  return held(span, options.min_lr, (base, s) => {
    const p = (s - span.hold) / (maxSteps - span.hold);
    return Math.max(options.min_lr, base * (1 - Math.sqrt(p)));
  });
}

/** How the rate falls at the end, of the share p of the way: from 1 to 0. Megatron's shapes. */
const DECAYS = {
  linear: (p: number) => 1 - p,
  cosine: (p: number) => 0.5 * (1 + Math.cos(Math.PI * p)),
  exponential: (p: number) => 2 * 0.5 ** p - 1,
  minus_sqrt: (p: number) => 1 - Math.sqrt(p),
} as const;

export type WsdDecay = keyof typeof DECAYS;
export const WSD_DECAYS = Object.keys(DECAYS) as readonly WsdDecay[];

export interface WsdOptions extends WarmupOptions {
  readonly decay_steps: number | null;
  readonly decay_ratio: number | null;
  readonly decay_style: WsdDecay;
}

/** Warm-up, stable, decay (Hu et al. 2024, MiniCPM): the rate stays at lr and falls to min_lr in the last steps. */
export function warmupStableDecay(options: WsdOptions, maxSteps: number): Rate {
  const span = phases(options, maxSteps);
  const decay = stepsOrRatio('decay', options.decay_steps, options.decay_ratio, maxSteps);
  const { min_lr: min } = options;
  const start = maxSteps - decay;
  if (start < span.warmup) {
    throw new AnemoneError({
      code: 'optim.schedule',
      path: 'model.optim.sched.decay_steps',
      message: `a warm-up of ${span.warmup} steps and a decay of ${decay} are more than the ${maxSteps} steps of the run`,
    });
  }
  return warmedUp(span, min, (base, s) =>
    s <= start ? base : min + (base - min) * DECAYS[options.decay_style]((s - start) / decay),
  );
}
