// The part that NeMo's schedules share: linear warm-up, the floor, and what happens after the last step.
import { AnemoneError } from '../../errors/index.js';

export interface WarmupOptions {
  readonly warmup_steps: number | null;
  /** Share of max_steps; instead of warmup_steps. */
  readonly warmup_ratio: number | null;
  readonly min_lr: number;
}

export interface HoldOptions extends WarmupOptions {
  readonly hold_steps: number | null;
  /** Share of max_steps; instead of hold_steps. */
  readonly hold_ratio: number | null;
}

/** Warm-up W, end of the hold H (from the start), and length M of the whole schedule, in steps. */
export interface Phases {
  readonly warmup: number;
  readonly hold: number;
  readonly max: number;
}

/** A count given as steps or as a share of M, not both. */
export function stepsOrRatio(
  key: string,
  steps: number | null,
  ratio: number | null,
  maxSteps: number,
): number {
  if (steps !== null && ratio !== null) {
    throw new AnemoneError({
      code: 'optim.schedule',
      path: `model.optim.sched.${key}_steps`,
      message: `${key}_steps and ${key}_ratio are both given`,
      hint: 'set one of them to null',
    });
  }
  return ratio === null ? (steps ?? 0) : Math.trunc(ratio * maxSteps);
}

export function phases(options: WarmupOptions & Partial<HoldOptions>, maxSteps: number): Phases {
  const warmup = stepsOrRatio('warmup', options.warmup_steps, options.warmup_ratio, maxSteps);
  const holdSteps = stepsOrRatio('hold', options.hold_steps ?? null, options.hold_ratio ?? null, maxSteps);
  return { warmup, hold: warmup + holdSteps, max: maxSteps };
}

/**
 * Linear warm-up lr·(s+1)/(W+1) up to and including s = W, then `after`, and min_lr when s > M.
 * The rate is exactly lr at s = W.
 */
export function warmedUp(
  { warmup, max }: Phases,
  minimum: number,
  after: (base: number, step: number) => number,
): (base: number, step: number) => number {
  return (base, step) => {
    if (warmup > 0 && step <= warmup) return (base * (step + 1)) / (warmup + 1);
    return step > max ? minimum : after(base, step);
  };
}

/** As `warmedUp`, with the rate kept at lr while s ≤ H. */
export function held(
  span: Phases,
  minimum: number,
  after: (base: number, step: number) => number,
): (base: number, step: number) => number {
  return warmedUp(span, minimum, (base, step) => (step <= span.hold ? base : after(base, step)));
}
