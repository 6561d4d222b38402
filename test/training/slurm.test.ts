// A run whose ranks Slurm starts, by Open MPI and by MPICH: daemons of Slurm on this machine, `srun` and `scancel` as users call them.
import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { skipUnless } from '../skipping.js';
import { slurm } from '../slurm.js';
import { temporaryFolder } from './helpers.js';
import { curve, isInstalled, Job, type LauncherName, lastOf, train } from './rank-jobs.js';

const cluster = await slurm();
afterAll(() => cluster?.remove());
const variables = cluster?.environment ?? {};

describe.each([
  ['Open MPI', 'pmix'],
  ['MPICH', 'pmi2'],
] as const)('ranks that srun starts with %s', (mpi: LauncherName, plugin) => {
  skipUnless(cluster !== undefined, 'Slurm needs root, slurm-wlm and munge');
  skipUnless(isInstalled(mpi), `${mpi} is not installed`);
  const launcher = ['srun', `--mpi=${plugin}`, '--overcommit', '--cpu-bind=none'];

  it('make the numbers of one', async () => {
    const [alone, together] = [temporaryFolder(), temporaryFolder()];
    const trainer = { accumulate_over: 'all_ranks', accumulate_grad_batches: 2, max_steps: 6 };
    await train(alone, { trainer: { ...trainer, devices: 1 } });
    const text = await train(together, { launcher, variables, trainer: { ...trainer, devices: 2 } });
    expect(text).toMatch(/2 ranks by MPI/);
    const [expected, actual] = [await curve(alone), await curve(together)];
    expect(actual.length).toBe(expected.length);
    for (const [i, row] of expected.entries())
      for (const [key, value] of Object.entries(row))
        expect(Math.abs(actual[i][key] - value), `${key} in row ${i}`).toBeLessThanOrEqual(
          1e-5 * Math.max(1e-3, Math.abs(value)),
        );
  });

  it('save and end when the job is told to', async () => {
    const folder = temporaryFolder();
    const trainer = { devices: 2, max_steps: 1000, max_epochs: -1, limit_val_batches: 0 };
    const job = new Job(folder, {
      launcher: [...launcher, '--job-name=stopped'],
      variables,
      trainer,
      delay: 0.02,
    });
    await job.printed('step 2');
    const environment = { ...process.env, ...variables };
    spawnSync('scancel', ['--signal=TERM', '--name=stopped'], { env: environment });
    const { code, text } = await job.ended;
    expect(text).toMatch(/interrupted: SIGTERM/);
    expect(code, text).not.toBe(0);
    expect((await lastOf(folder)).state.progress.step).toBeGreaterThanOrEqual(2);
  });
});
