// What NVIDIA's tool prints, as recorded, becomes numbers; a machine without it is asked once.
import { describe, expect, it } from 'vitest';
import { GpuSampler, parseGpuTable } from '../../../src/training/system/nvidia-smi.js';
import { SystemGauges } from '../../../src/training/system/system-gauges.js';

/** `nvidia-smi --query-gpu=index,utilization.gpu,memory.used,memory.total,power.draw --format=csv,noheader,nounits` */
const TWO_CARDS = '0, 97, 30522, 81559, 412.37\n1, 0, 4, 81559, 61.02\n';
/** A laptop's card under WSL does not tell its power. */
const NO_POWER = '0, 12, 1024, 8188, [N/A]\r\n';
const SHARED = '0, [N/A], [Not Supported], 143771, 75.5\n';

describe('parseGpuTable', () => {
  it('reads utilisation as a share, memory in MiB, power in watts', () => {
    expect(parseGpuTable(TWO_CARDS)).toEqual([
      { index: 0, share: 0.97, memoryMb: 30522, memoryTotalMb: 81559, powerW: 412.37 },
      { index: 1, share: 0, memoryMb: 4, memoryTotalMb: 81559, powerW: 61.02 },
    ]);
  });

  it('leaves out what a card does not say', () => {
    expect(parseGpuTable(NO_POWER)).toEqual([
      { index: 0, share: 0.12, memoryMb: 1024, memoryTotalMb: 8188, powerW: undefined },
    ]);
    expect(parseGpuTable(SHARED)).toMatchObject([{ share: undefined, memoryMb: undefined, powerW: 75.5 }]);
  });

  it('passes over what is no table', () => {
    expect(parseGpuTable('No devices were found\n')).toEqual([]);
    expect(parseGpuTable('NVIDIA-SMI has failed because it could not talk to the driver.\n')).toEqual([]);
  });
});

describe('GpuSampler', () => {
  it('has what was known last, and asks for the next time', async () => {
    const answers = [TWO_CARDS, NO_POWER];
    const sampler = new GpuSampler(async () => answers.shift(), 0);
    expect(sampler.latest()).toEqual([]);
    await Promise.resolve();
    expect(sampler.latest()).toHaveLength(2);
    await Promise.resolve();
    expect(sampler.latest()).toHaveLength(1);
  });

  it('asks once for many steps that follow each other', async () => {
    let asked = 0;
    const sampler = new GpuSampler(async () => {
      asked++;
      return TWO_CARDS;
    });
    for (let i = 0; i < 20; i++) {
      sampler.latest();
      await Promise.resolve();
    }
    expect(asked).toBe(1);
    expect(sampler.latest()).toHaveLength(2);
  });

  it('does not ask again where there is no tool', async () => {
    let asked = 0;
    const sampler = new GpuSampler(async () => {
      asked++;
      return undefined;
    }, 0);
    for (let i = 0; i < 3; i++) {
      expect(sampler.latest()).toEqual([]);
      await Promise.resolve();
    }
    expect(asked).toBe(1);
  });
});

describe('SystemGauges', () => {
  it('gives a row of shares, MiB and watts, without what is not known', async () => {
    const gauges = new SystemGauges(new GpuSampler(async () => TWO_CARDS + SHARED.replace('0,', '2,')));
    gauges.status();
    await Promise.resolve();
    const until = performance.now() + 20;
    while (performance.now() < until);
    const status = gauges.status();
    const row = gauges.row(status);
    expect(row).toMatchObject({
      'system/gpu0_share': 0.97,
      'system/gpu1_power_w': 61.02,
      'system/gpu2_power_w': 75.5,
    });
    expect(row).not.toHaveProperty(['system/gpu2_share']);
    expect(row['system/cpu_share']).toBeGreaterThan(0);
    expect(row['system/cpu_share']).toBeLessThanOrEqual(1);
    expect(row['system/rss_mb']).toBeGreaterThan(10);
  });
});
