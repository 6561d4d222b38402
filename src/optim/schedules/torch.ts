// The schedules NeMo takes from PyTorch as they are. ReduceLROnPlateau has its own file: it keeps state.

export interface StepOptions {
  readonly step_size: number;
  readonly gamma: number;
}

/** lr·gamma^⌊s / step_size⌋. */
export function stepLr({ step_size, gamma }: StepOptions): (base: number, step: number) => number {
  return (base, step) => base * gamma ** Math.floor(step / step_size);
}

/** lr·gamma^s, s being epochs unless `interval: step`. */
export function exponentialLr({ gamma }: { readonly gamma: number }): (base: number, step: number) => number {
  return (base, step) => base * gamma ** step;
}

export interface CyclicOptions {
  readonly base_lr: number;
  readonly max_lr: number;
  readonly step_size_up: number;
  readonly step_size_down: number | null;
  /** triangular: same height; triangular2: half each cycle; exp_range: times gamma^s. */
  readonly mode: string;
  readonly gamma: number;
}

/** Smith 2017. The optimizer's own learning rate is not used. */
export function cyclicLr(options: CyclicOptions): (base: number, step: number) => number {
  const up = options.step_size_up;
  const total = up + (options.step_size_down ?? up);
  return (_base, step) => {
    const cycle = Math.floor(1 + step / total);
    const x = 1 + step / total - cycle;
    const height = x <= up / total ? (x * total) / up : (x - 1) / (up / total - 1);
    return options.base_lr + (options.max_lr - options.base_lr) * height * cycleScale(options, cycle, step);
  };
}

function cycleScale({ mode, gamma }: CyclicOptions, cycle: number, step: number): number {
  if (mode === 'triangular2') return 2 ** (1 - cycle);
  return mode === 'exp_range' ? gamma ** step : 1;
}
