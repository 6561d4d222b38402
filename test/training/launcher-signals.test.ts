// Signals that reach not the ranks but what has started them, as a batch system or Ctrl+C sends them.
import { describe, expect, it } from 'vitest';
import { skipUnless } from '../skipping.js';
import { temporaryFolder } from './helpers.js';
import { isAlive, isInstalled, Job, lastOf, unfinishedFiles, wait } from './rank-jobs.js';

const trainer = { devices: 2, max_steps: 1000, max_epochs: -1, limit_val_batches: 0 };
/** Open MPI waits so many seconds before it passes SIGTERM on, and as long again before it kills. */
const PATIENT = ['mpirun.openmpi', '--oversubscribe', '--bind-to', 'none', '--mca', 'odls_base_sigkill_timeout', '2'] as const; // biome-ignore format: one line reads better

describe.runIf(process.platform === 'linux').each([
  { name: 'Open MPI', launcher: PATIENT, signal: 'SIGTERM' },
  { name: 'Open MPI', launcher: PATIENT, signal: 'SIGINT' },
  { name: 'MPICH', launcher: ['mpirun.mpich'], signal: 'SIGTERM' },
  { name: 'MPICH', launcher: ['mpirun.mpich'], signal: 'SIGINT' },
] as const)('$signal to the launcher of $name', ({ name, launcher, signal }) => {
  skipUnless(isInstalled(name), `${name} is not installed`);

  it('lets the ranks save, and all end', async () => {
    const folder = temporaryFolder();
    const job = new Job(folder, { launcher, trainer, delay: 0.02 });
    await job.printed('step 2');
    const ranks = job.ranks();
    process.kill(job.process.pid as number, signal);
    const { code, text } = await job.ended;
    while ([...ranks.values()].some(isAlive)) await wait(5);
    expect((await lastOf(folder)).state.progress.step, text).toBeGreaterThanOrEqual(2);
    expect(unfinishedFiles(folder)).toEqual([]);
    expect(text).toMatch(/interrupted: SIG/);
    // MPICH's launcher (Hydra 4.0) now and then ends with 0 whatever its ranks end with, be they shell scripts, when they end soon.
    if (name !== 'MPICH') expect(code, text).not.toBe(0);
    expect(text).not.toMatch(/MPI_ABORT|exited on signal/);
  });
});
