import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createScheduler, schedulerComponents } from '../../src/optim/index.js';

interface Curve {
  name: string;
  base_lr: number;
  args: Record<string, unknown>;
  lr_at_step_0_to_23: number[];
}

function golden(file: string): Curve[] {
  return JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), 'utf8')) as Curve[];
}

describe.each(['lr_v1.json', 'lr_main.json'])('%s', (file) => {
  const curves = golden(file).map((curve) => [`${curve.name} ${JSON.stringify(curve.args)}`, curve] as const);
  it.each(curves)('%s', (_label, { name, base_lr, args, lr_at_step_0_to_23: expected }) => {
    const scheduler = createScheduler({ name, ...args }, undefined);
    expected.forEach((value, step) => {
      expect(scheduler.rate(base_lr, { step, epoch: 0 }), `step ${step}`).toBeCloseTo(value, 8);
    });
  });
});

interface TorchCurves {
  schedules: { name: string; args: Record<string, unknown>; rates: number[] }[];
  plateaus: { name: string; args: Record<string, unknown>; metrics: number[]; rates: number[] }[];
}

describe('curves of PyTorch', () => {
  const file = readFileSync(new URL('../golden/optim_torch.json', import.meta.url), 'utf8');
  const { schedules, plateaus } = JSON.parse(file) as TorchCurves;

  it.each(schedules)('$name $args', ({ name, args, rates }) => {
    const scheduler = createScheduler({ name, ...args }, undefined);
    rates.forEach((rate, i) => {
      expect(scheduler.rate(1, { step: i, epoch: i })).toBeCloseTo(rate, 10);
    });
  });

  it.each(plateaus)('$name $args', ({ name, args, metrics, rates }) => {
    let scheduler = createScheduler({ name, ...args }, undefined);
    metrics.forEach((metric, i) => {
      scheduler.observe(metric);
      expect(scheduler.rate(1, { step: 0, epoch: 0 })).toBeCloseTo(rates[i], 10);
      const resumed = createScheduler({ name, ...args }, undefined);
      resumed.restore(scheduler.state());
      scheduler = resumed;
    });
  });
});

describe('createScheduler', () => {
  it('covers every schedule of the golden files and the four of PyTorch', () => {
    const names = new Set(golden('lr_main.json').map((curve) => curve.name));
    const torch = ['StepLR', 'ExponentialLR', 'CyclicLR', 'ReduceLROnPlateau'];
    const known = schedulerComponents.map(({ name }) => name);
    expect(known).toEqual(expect.arrayContaining([...names, ...torch]));
  });

  it('keeps the base rate without a section', () => {
    expect(createScheduler(undefined, undefined).rate(0.3, { step: 9, epoch: 2 })).toBe(0.3);
  });

  it('names the nearest schedule and the nearest key', () => {
    expect(() => createScheduler({ name: 'CosineAnealing' }, 10)).toThrow(/CosineAnnealing/);
    expect(() => createScheduler({ name: 'CosineAnnealing', warmup_step: 3 }, 10)).toThrow(/warmup_steps/);
  });

  it('refuses warm-up given twice and a length nobody knows', () => {
    const both = { name: 'CosineAnnealing', warmup_steps: 3, warmup_ratio: 0.1 };
    expect(() => createScheduler(both, 10)).toThrow(/both given/);
    expect(() => createScheduler({ name: 'CosineAnnealing' }, undefined)).toThrow(/max_steps/);
  });

  it('takes warm-up as a share of the run', () => {
    const ratio = createScheduler({ name: 'WarmupAnnealing', warmup_ratio: 0.2 }, 20);
    const steps = createScheduler({ name: 'WarmupAnnealing', warmup_steps: 4 }, 20);
    for (let step = 0; step < 22; step++) {
      expect(ratio.rate(1, { step, epoch: 0 })).toBe(steps.rate(1, { step, epoch: 0 }));
    }
  });

  it('counts epochs where the schedule does', () => {
    const scheduler = createScheduler({ name: 'ExponentialLR', gamma: 0.5 }, undefined);
    expect(scheduler.rate(1, { step: 100, epoch: 2 })).toBe(0.25);
  });
});

describe('WSD', () => {
  // Megatron's OptimizerParamScheduler: coefficients of the decay at shares of its way.
  const shapes: Readonly<Record<string, (p: number) => number>> = {
    linear: (p) => 1 - p,
    cosine: (p) => (Math.cos(Math.PI * p) + 1) / 2,
    exponential: (p) => 2 * 0.5 ** p - 1,
    minus_sqrt: (p) => 1 - Math.sqrt(p),
  };

  it.each(Object.entries(shapes))('warms up, stays, and falls to min_lr (%s)', (decay_style, shape) => {
    const settings = { name: 'WSD', warmup_steps: 4, decay_ratio: 0.25, decay_style, min_lr: 0.1 };
    const scheduler = createScheduler(settings, 40);
    const rates = Array.from({ length: 42 }, (_, step) => scheduler.rate(2, { step, epoch: 0 }));
    expect(rates.slice(0, 5)).toEqual([0.4, 0.8, 1.2, 1.6, 2].map((rate) => expect.closeTo(rate, 12)));
    expect(new Set(rates.slice(4, 31))).toEqual(new Set([2]));
    for (let step = 31; step <= 40; step++)
      expect(rates[step]).toBeCloseTo(0.1 + 1.9 * shape((step - 30) / 10), 12);
    expect(rates[41]).toBe(0.1);
  });

  it('is refused where warm-up and decay are longer than the run', () => {
    expect(() => createScheduler({ name: 'WSD', warmup_steps: 8, decay_steps: 5 }, 10)).toThrow(
      /more than the 10 steps/,
    );
    expect(() => createScheduler({ name: 'WSD', decay_style: 'cubic' }, 10)).toThrow(/decay_style/);
  });
});
