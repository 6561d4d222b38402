// A run of ranks on two hosts, which are network namespaces of this machine: what they say to each other goes by TCP.
import { afterAll, describe, expect, it } from 'vitest';
import { skipUnless } from '../skipping.js';
import { twoHosts } from '../two-hosts.js';
import { temporaryFolder } from './helpers.js';
import { curve, isAlive, Job, train, wait } from './rank-jobs.js';

const hosts = twoHosts();
afterAll(() => hosts?.remove());
const launcher = hosts?.launch ?? [];

describe('ranks on two hosts', () => {
  skipUnless(hosts !== undefined, 'network namespaces need root and iproute2, hosts Open MPI');

  it('make the numbers of one, and send their gradients by the network', async () => {
    const [alone, together] = [temporaryFolder(), temporaryFolder()];
    const model = { hidden: 20_000, batches: 6 };
    const trainer = { accumulate_over: 'all_ranks', accumulate_grad_batches: 2, max_steps: 5 };
    await train(alone, { trainer: { ...trainer, devices: 1 }, model });
    const before = hosts?.receivedBytes() ?? 0;
    // As a config would say it: one rank on each of two machines.
    const options = { ...trainer, devices: 1, num_nodes: 2 };
    expect(await train(together, { launcher, trainer: options, ranks: 2, model })).toMatch(/2 ranks by MPI/);
    const bytesOfGradients = 5 * 4 * 6 * 20_000;
    expect((hosts?.receivedBytes() ?? 0) - before).toBeGreaterThan(bytesOfGradients);
    const [expected, actual] = [await curve(alone), await curve(together)];
    expect(actual.length).toBe(expected.length);
    expected.forEach((row, i) => {
      for (const [key, value] of Object.entries(row))
        expect(Math.abs(actual[i][key] - value), `${key} in row ${i}`).toBeLessThanOrEqual(
          1e-5 * Math.max(1e-3, Math.abs(value)),
        );
    });
  });

  it('all end when the one on the other host is killed', async () => {
    const trainer = { devices: 1, num_nodes: 2, max_steps: 1000, max_epochs: -1, limit_val_batches: 0 };
    const job = new Job(temporaryFolder(), { launcher, trainer, ranks: 2, delay: 0.02 });
    await job.printed('step 2');
    const ranks = job.ranks();
    expect([...ranks.keys()].sort()).toEqual([0, 1]);
    process.kill(ranks.get(1) as number, 'SIGKILL');
    const { code, text } = await job.ended;
    expect(code, text).not.toBe(0);
    expect(text.match(/exited on signal 9/g)).toHaveLength(1);
    while ([...ranks.values()].some(isAlive)) await wait(5);
  });
});
