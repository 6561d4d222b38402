import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { launchLocalRanks, SelfCommunicator } from '../../src/distributed/index.js';
import { bundledProgram } from '../bundled-program.js';
import { conform } from './programs/conformance.js';

const program = await bundledProgram(new URL('programs/rank.ts', import.meta.url));

/** Ranks that do not hear of the end of the job outlast the test; but for one that hears nothing any more. */
function graceOf(plan: string): number {
  return plan === 'absent' ? 1000 : 10 * 60_000;
}

function launch(ranks: number, plan: string, ...args: string[]): Promise<number> {
  const command = [process.execPath, program, plan, ...args];
  return launchLocalRanks({ ranks, graceMs: graceOf(plan), command });
}

/** The error that ends a job. */
async function failureOf(ranks: number, plan: string): Promise<Error> {
  return launch(ranks, plan).then(
    (code) => {
      throw new Error(`the job ended with ${code}`);
    },
    (error: Error) => error,
  );
}

describe('communicators', () => {
  it('conform: a rank that is alone', () => {
    conform(new SelfCommunicator());
  });

  it.each([1, 2, 3, 4])('conform: %i local ranks', async (ranks) => {
    expect(await launch(ranks, 'conform')).toBe(0);
  });

  it('exchange values of JavaScript', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'ranks-')), 'values.json');
    expect(await launch(3, 'exchange', file)).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([
      [0, 'NaN'],
      [1000, 'Infinity'],
      [2000, 'Infinity'],
    ]);
  });
});

describe('a local rank that fails ends the job, and is named', () => {
  it('when it is killed', async () => {
    expect((await failureOf(3, 'die')).message).toMatch(/^rank 1 was killed by SIGKILL/);
  });

  it('when it ends with an error', async () => {
    const error = await failureOf(3, 'throw');
    expect(error.message).toBe('rank 1: the disk of rank 1 is full');
    expect(error).toMatchObject({ code: 'distributed.rank-failed', exitCode: 2 });
  });

  it('when it ends as if all were done', async () => {
    expect((await failureOf(2, 'leave')).message).toMatch(/^rank 1: the process ended in the middle/);
  });

  it('when it does something else than the others', async () => {
    // Rank 0 says it itself.
    expect(await launch(2, 'disagree')).toBe(2);
  });

  it('when it does not come: who waits where for whom', async () => {
    expect(await launch(3, 'absent')).toBe(2);
  });

  it('leaves no shared memory behind', () => {
    const left = readdirSync('/dev/shm').filter((name) => name.startsWith(`anemone-${process.pid}-`));
    expect(left).toEqual([]);
  });
});

it('on Windows local ranks are refused in one line, before anything is started', async () => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor;
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' });
  try {
    await expect(launch(2, 'conform')).rejects.toMatchObject({
      code: 'distributed.shared-memory',
      path: 'trainer.devices',
      exitCode: 2,
    });
  } finally {
    Object.defineProperty(process, 'platform', platform);
  }
});
