// The loss scale by itself, against PyTorch's numbers and a model of Megatron-LM's rule; as an option, what is refused.
import { describe, expect, it } from 'vitest';
import { LossScale, type LossScaleState } from '../../../src/training/fit/loss-scale.js';
import { trainerOptions } from '../../../src/training/trainer-options.js';

/** Scale and tracker after each step. @param overflows 1 where the step overflowed */
function followed(scale: LossScale, overflows: readonly number[]): (readonly [number, number])[] {
  return overflows.map((overflow) => {
    if (overflow) scale.overflowed(1);
    else scale.succeeded();
    const { scale: value, growthTracker } = scale.state();
    return [value, growthTracker];
  });
}

const MIXED = [1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];

describe("PyTorch's scale", () => {
  // torch 2.8.0: torch._amp_update_scale_(scale, tracker, found_inf, growth_factor, backoff_factor, growth_interval)
  it('halves and doubles as torch does', () => {
    const scale = LossScale.from({ defaults: 'pytorch', growth_interval: 3 } as never);
    expect(followed(scale, MIXED)).toEqual([
      [32768, 0], [16384, 0], [16384, 1], [16384, 2], [32768, 0], [16384, 0], [16384, 1], [16384, 2], [32768, 0],
      [32768, 1], [32768, 2], [16384, 0], [16384, 1], [16384, 2], [32768, 0], [32768, 1], [32768, 2], [65536, 0],
      [65536, 1], [32768, 0], [16384, 0], [16384, 1],
    ]); // biome-ignore format: a table
  });

  it('rounds factors that are no powers of two as torch does', () => {
    const keys = { init_scale: 1000, growth_factor: 1.7, backoff_factor: 0.3, growth_interval: 3 };
    const scale = LossScale.from({ defaults: 'pytorch', ...keys } as never);
    expect(followed(scale, MIXED).map(([value]) => value)).toEqual([
      300, 90, 90, 90, 153, 45.900001525878906, 45.900001525878906, 45.900001525878906, 78.02999877929688,
      78.02999877929688, 78.02999877929688, 23.409000396728516, 23.409000396728516, 23.409000396728516,
      39.7952995300293, 39.7952995300293, 39.7952995300293, 67.65200805664062, 67.65200805664062,
      20.295602798461914, 6.088680744171143, 6.088680744171143,
    ]); // biome-ignore format: a table
  });

  it('does not grow beyond the largest number', () => {
    const scale = LossScale.from({ defaults: 'pytorch', init_scale: 2 ** 126, growth_interval: 2 } as never);
    expect(followed(scale, [0, 0, 0, 0, 0]).map(([value]) => value)).toEqual([
      2 ** 126, 2 ** 127, 2 ** 127, 2 ** 127, 2 ** 127,
    ]); // biome-ignore format: a table
  });

  it('starts at 65536 and waits for 2000 steps', () => {
    const scale = LossScale.from('dynamic');
    expect(scale.scale).toBe(65536);
    expect(
      followed(
        scale,
        Array.from({ length: 2000 }, () => 0),
      ).at(-2)?.[0],
    ).toBe(65536);
    expect(scale.scale).toBe(131072);
  });
});

/** Megatron-LM's rule: overflows are borne until the hysteresis is used up, which growth fills again. */
class MegatronModel {
  private tracker = 0;
  private borne: number;
  constructor(
    public scale: number,
    private readonly interval: number,
    private readonly hysteresis: number,
    private readonly least: number,
  ) {
    this.borne = hysteresis;
  }
  step(overflow: number): number {
    if (overflow) {
      this.tracker = 0;
      this.borne--;
      if (this.borne <= 0) this.scale = Math.max(this.scale / 2, this.least);
    } else if (++this.tracker === this.interval) {
      this.tracker = 0;
      this.borne = this.hysteresis;
      this.scale *= 2;
    }
    return this.scale;
  }
}

describe("Megatron's scale", () => {
  it('bears overflows by its hysteresis and has a least value', () => {
    const keys = { init_scale: 64, growth_interval: 4, hysteresis: 3, min_scale: 8 };
    const scale = LossScale.from({ defaults: 'megatron', ...keys } as never);
    const model = new MegatronModel(64, 4, 3, 8);
    for (let i = 0; i < 400; i++) {
      const overflow = (i * i * 7 + (i >> 3)) % 5 < 2 || i % 90 > 70 ? 1 : 0;
      if (overflow) scale.overflowed(1);
      else scale.succeeded();
      expect([i, scale.scale]).toEqual([i, model.step(overflow)]);
    }
  });

  it('starts at 2^32', () => {
    const scale = LossScale.from('megatron');
    expect(followed(scale, [1, 1, 1]).map(([value]) => value)).toEqual([2 ** 32, 2 ** 31, 2 ** 30]);
  });
});

describe('a scale that cannot shrink', () => {
  const untilLast = (scale: LossScale, loss: number): number => {
    let steps = 1;
    while (!scale.overflowed(loss)) steps++;
    return steps;
  };

  it('is one at its least value, or at 1 where the loss itself is not finite', () => {
    expect(untilLast(LossScale.from('pytorch'), Number.POSITIVE_INFINITY)).toBe(17);
    expect(untilLast(LossScale.from('pytorch'), 1)).toBe(41);
    expect(untilLast(LossScale.from('megatron'), 1)).toBe(34);
    expect(untilLast(LossScale.from({ defaults: 'pytorch', init_scale: 8, min_scale: 2 } as never), 1)).toBe(
      3,
    );
  });

  it('a constant one never changes', () => {
    const scale = LossScale.from(128);
    expect(followed(scale, [1, 0, 1, 1]).map(([value]) => value)).toEqual([128, 128, 128, 128]);
    expect(scale.describe()).toBe('128, constant');
  });
});

describe('a restored scale', () => {
  it('goes on as if nothing had been', () => {
    const make = () => LossScale.from({ defaults: 'megatron', growth_interval: 3 } as never);
    const whole = make();
    followed(whole, MIXED);
    const first = make();
    followed(first, MIXED.slice(0, 9));
    const second = make();
    second.restore(JSON.parse(JSON.stringify(first.state())) as LossScaleState);
    followed(second, MIXED.slice(9));
    expect(second.state()).toEqual(whole.state());
    expect(whole.state().skipped).toBe(6);
  });
});

describe('trainer.loss_scale', () => {
  const parsed = (value: unknown) => trainerOptions({ loss_scale: value }, []).loss_scale;

  it.each(['dynamic', 'pytorch', 'megatron', 1, 0.5, 4096])('may be %s', (value) => {
    expect(parsed(value)).toBe(value);
  });

  it.each([0, -1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-60, 1e60, null, true, [2], 'dynamci'])('is not %s', (value) => {
    expect(() => parsed(value)).toThrow(
      expect.objectContaining({ code: 'config.invalid-value', path: 'loss_scale' }),
    );
  }); // biome-ignore format: one line reads better

  it.each([
    [{ init_scale: 0 }, 'loss_scale.init_scale'],
    [{ init_scale: -2 }, 'loss_scale.init_scale'],
    [{ growth_factor: 1 }, 'loss_scale.growth_factor'],
    [{ backoff_factor: 1 }, 'loss_scale.backoff_factor'],
    [{ backoff_factor: 0 }, 'loss_scale.backoff_factor'],
    [{ growth_interval: 0 }, 'loss_scale.growth_interval'],
    [{ hysteresis: 0 }, 'loss_scale.hysteresis'],
    [{ min_scale: 0 }, 'loss_scale.min_scale'],
    [{ inital_scale: 2 }, 'loss_scale.inital_scale'],
  ])('is not %o', (value, path) => {
    expect(() => parsed(value)).toThrow(expect.objectContaining({ path }));
  });
});
