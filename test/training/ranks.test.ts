import { readFileSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { skipUnless } from '../skipping.js';
import { temporaryFolder } from './helpers.js';
import { curve, isInstalled, Job, type JobOptions, lastOf, train as trainJob } from './rank-jobs.js';

/** A step is four batches, whoever makes them. */
const STEP = { accumulate_over: 'all_ranks', accumulate_grad_batches: 4, val_check_interval: 10 };

function start(folder: string, trainer: JobOptions['trainer'], delay = 0): Job {
  return new Job(folder, { trainer, delay });
}

function train(folder: string, trainer: JobOptions['trainer']): Promise<string> {
  return trainJob(folder, { trainer });
}

function expectClose(actual: Record<string, number>[], expected: Record<string, number>[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((row, i) => {
    for (const [key, value] of Object.entries(row)) {
      const difference = Math.abs(actual[i][key] - value);
      expect(difference, `${key} in row ${i}`).toBeLessThanOrEqual(1e-5 * Math.max(1e-3, Math.abs(value)));
    }
  });
}

/** Weights and running statistics. */
async function weights(folder: string): Promise<number[]> {
  const tensors = await (await lastOf(folder)).tensors('weights');
  return [...tensors.values()].flatMap(({ data }) => Array.from(data as ArrayLike<number>));
}

describe('ranks that train together', () => {
  const alone = temporaryFolder();
  beforeAll(async () => {
    await train(alone, { ...STEP, devices: 1, max_steps: 6 });
  });

  it('make the numbers of one, bit by bit where each has one batch of the step', async () => {
    const folder = temporaryFolder();
    await train(folder, { ...STEP, devices: 4, max_steps: 6 });
    const rows = await curve(folder);
    expect(rows.length).toBeGreaterThan(6);
    expect(rows).toEqual(await curve(alone));
    const bytes = async (run: string) =>
      readFileSync(join((await lastOf(run)).path, 'optimizer.safetensors'));
    expect((await bytes(folder)).equals(await bytes(alone))).toBe(true);
  });

  it('make the numbers of one but for rounding, where ranks add up several batches', async () => {
    const folder = temporaryFolder();
    await train(folder, { ...STEP, devices: 2, max_steps: 6 });
    expectClose(await curve(folder), await curve(alone));
    const expected = await weights(alone);
    const actual = await weights(folder);
    expect(actual.length).toBe(expected.length);
    actual.forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-5);
    });
  });

  it.each(['local ranks', 'Open MPI'] as const)(
    'make the numbers of one with the batches of all, where batch norm is over ranks: %s',
    async (launcher) => {
      if (!isInstalled(launcher)) return;
      // 40 examples: two steps of 16, and one of 8, which is one rank's.
      const [one, two] = [temporaryFolder(), temporaryFolder()];
      const trainer = { max_steps: 7, check_val_every_n_epoch: 1, sync_batchnorm: true };
      const model = (batch: number) => ({ normalised: { examples: 40, batch } });
      await trainJob(one, { trainer: { ...trainer, devices: 1 }, model: model(16) });
      await trainJob(two, { launcher, trainer: { ...trainer, devices: 2 }, model: model(8) });
      // Batches of another size are another share of an epoch.
      const numbers = async (folder: string) =>
        (await curve(folder)).map(({ 'train/epoch': _, ...row }) => row);
      expectClose(await numbers(two), await numbers(one));
      const [expected, actual] = [await weights(one), await weights(two)];
      expect(actual.length).toBe(expected.length);
      actual.forEach((value, i) => {
        expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(1e-5);
      });
    },
  );

  it.each(['Open MPI', 'MPICH'] as const)(
    'make the same numbers, bit by bit, whether gradients are sent meanwhile or afterwards: %s',
    async (launcher) => {
      if (!isInstalled(launcher)) return;
      // Several buckets; a batch of the second step is not finite, and epochs end unevenly.
      const model = {
        compiles: true,
        hidden: 300_000,
        batches: 5,
        // JSON has no word for it.
        poison: { batch: 3, value: 'NaN' },
      };
      const [meanwhile, afterwards] = [temporaryFolder(), temporaryFolder()];
      for (const folder of [meanwhile, afterwards]) {
        const overlap_grad_sync = folder === meanwhile;
        const trainer = { devices: 2, max_steps: 5, nonfinite: 'skip', overlap_grad_sync };
        expect(await trainJob(folder, { launcher, trainer, model })).toMatch(/step 1 skipped/);
      }
      expect(await curve(meanwhile)).toEqual(await curve(afterwards));
      const bytes = async (run: string) =>
        readFileSync(join((await lastOf(run)).path, 'optimizer.safetensors'));
      expect((await bytes(meanwhile)).equals(await bytes(afterwards))).toBe(true);
    },
  );

  it.each(['local ranks', 'Open MPI', 'MPICH'] as const)(
    'test after a fit together: %s',
    async (launcher) => {
      if (!isInstalled(launcher)) return;
      const [one, two] = [temporaryFolder(), temporaryFolder()];
      const options = { trainer: { ...STEP, devices: 1, max_steps: 2 }, model: { tests: true } };
      await trainJob(one, options);
      await trainJob(two, { ...options, launcher, trainer: { ...options.trainer, devices: 2 } });
      const losses = async (folder: string) =>
        (await curve(folder)).map((row) => row['test/loss']).filter(Boolean);
      expect(await losses(one)).toHaveLength(1);
      expect((await losses(two))[0]).toBeCloseTo((await losses(one))[0], 6);

      const failing = {
        ...options,
        launcher,
        trainer: { ...options.trainer, devices: 2 },
        model: { tests: 'fails' },
      };
      const { code, text } = await new Job(temporaryFolder(), failing).ended;
      expect(code).not.toBe(0);
      expect(
        text.match(/Error: rank 1 has lost the test set|rank 1: .*lost the test set/g),
        text,
      ).toHaveLength(1);
    },
  );

  it('refuse to be processes of srun that do not know of each other, in one line', async () => {
    const slurm = (task: number) => ({ SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: String(task) });
    const trainer = { devices: 1, max_steps: 1 };
    const ends = [0, 1].map((task) => new Job(temporaryFolder(), { trainer, variables: slurm(task) }).ended);
    const [first, second] = await Promise.all(ends);
    expect([first.code, second.code]).toEqual([2, 2]);
    expect(first.text.trim().split('\n')).toHaveLength(1);
    expect(first.text).toMatch(/^error: .*srun has started 2 processes/);
    expect(second.text).toBe('');
  });

  it('refuse a batch that they cannot divide', async () => {
    const { code, text } = await start(temporaryFolder(), { ...STEP, devices: 3, max_steps: 3 }).ended;
    expect(code).toBe(2);
    expect(text.trim().split('\n')).toHaveLength(1);
    expect(text).toMatch(/3 ranks .* 4 batches/);
  });
});

/** Epochs of 25 batches in steps of 12: the last step of each is one batch, which ranks cannot divide. */
describe.each(['local ranks', 'Open MPI', 'MPICH'] as const)(
  'a run that goes on with another number: %s',
  (launcher) => {
    skipUnless(isInstalled(launcher), `${launcher} is not installed`);
    const model = { batches: 25 };
    const twelve = { accumulate_over: 'all_ranks', accumulate_grad_batches: 12, val_check_interval: 25 };

    it('does so at the very next batch, with the curve of an undisturbed one', async () => {
      const [whole, changing] = [temporaryFolder(), temporaryFolder()];
      await trainJob(whole, { trainer: { ...twelve, devices: 1, max_steps: 8 }, model });
      for (const [i, devices] of [4, 3, 1, 2].entries()) {
        const trainer = { ...twelve, devices, max_steps: 2 * (i + 1) };
        const text = await trainJob(changing, { launcher, trainer, model });
        if (i > 0) expect(text).toMatch(new RegExp(`resumed from .*step ${2 * i}`));
      }
      expectClose(await curve(changing), await curve(whole));
    });

    it('does so where steps are as large as there are ranks', async () => {
      // Two steps of 4 of the 10 batches; then 3 ranks with 2 batches, and with 3.
      const folder = temporaryFolder();
      await trainJob(folder, { launcher, trainer: { devices: 4, max_steps: 2 } });
      const alone = temporaryFolder();
      await cp(folder, alone, { recursive: true });
      await trainJob(folder, { launcher, trainer: { devices: 3, max_steps: 5 } });
      await trainJob(alone, { trainer: { devices: 1, accumulate_grad_batches: 3, max_steps: 5 } });
      const { batches, epoch, batch } = (await lastOf(folder)).state.progress;
      expect({ batches, epoch, batch }).toEqual({ batches: 16, epoch: 1, batch: 6 });
      expectClose(await curve(folder), await curve(alone));
    });
  },
);

describe.runIf(process.platform === 'linux')('a run of several ranks', () => {
  const slow = {
    ...STEP,
    devices: 2,
    max_steps: 1000,
    max_epochs: 1000,
    val_check_interval: 1000,
    check_val_every_n_epoch: null,
  };

  it('ends when one is killed, names it once, and goes on with one fewer', async () => {
    const folder = temporaryFolder();
    const run = start(folder, slow, 0.02);
    await run.printed('step 4');
    process.kill(run.ranks().get(1) as number, 'SIGKILL');
    const { code, text } = await run.ended;
    expect(code).toBe(2);
    expect(text.match(/rank 1 was killed by SIGKILL/g)).toHaveLength(1);
    const { step } = (await lastOf(folder)).state.progress;
    expect(step).toBeGreaterThanOrEqual(4);
    await train(folder, { ...STEP, devices: 1, max_steps: step + 2 });
  });

  it('ends when one throws, and says what', async () => {
    const folder = temporaryFolder();
    const run = start(folder, slow, 0.02);
    await run.printed('step 2');
    writeFileSync(join(folder, 'throw'), '');
    const { code, text } = await run.ended;
    expect(code).toBe(1);
    expect(text.match(/rank 1: .*\n?.*rank 1 has had enough/g)).toHaveLength(1);
  });

  it.each([
    ['one', 1],
    ['all', 0],
  ])('saves and ends when SIGTERM comes to %s', async (_who, index) => {
    const folder = temporaryFolder();
    const run = start(folder, slow, 0.02);
    await run.printed('step 2');
    process.kill([run.process.pid as number, run.ranks().get(1) as number][index], 'SIGTERM');
    const { code, text } = await run.ended;
    expect(code, text).toBe(143);
    expect(text).toMatch(/interrupted: SIGTERM/);
    // An epoch is two steps of four batches and one of two.
    const { step, batches } = (await lastOf(folder)).state.progress;
    expect(batches).toBe(10 * Math.floor(step / 3) + 4 * (step % 3));
  });
});
