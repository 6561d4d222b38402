import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, listCheckpoints, readMetricRows } from '../../src/training/index.js';
import { temporaryFolder } from './helpers.js';

const program = fileURLToPath(new URL('programs/train-ranks.ts', import.meta.url));
/** A step is four batches, whoever makes them. */
const STEP = { accumulate_over: 'all_ranks', accumulate_grad_batches: 4, val_check_interval: 10 };

interface Run {
  readonly process: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly text: string }>;
}

function start(folder: string, trainer: object, delay = 0): Run {
  const args = ['--import', 'tsx', program, folder, JSON.stringify(trainer), String(delay)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<Awaited<Run['ended']>>((resolve) => {
    child.on('close', (code) => resolve({ code, text }));
  });
  return { process: child, ended };
}

async function train(folder: string, trainer: object): Promise<string> {
  const { code, text } = await start(folder, trainer).ended;
  expect(code, text).toBe(0);
  return text;
}

async function lastOf(folder: string): Promise<Checkpoint> {
  return (await listCheckpoints(join(folder, 'checkpoints'))).checkpoints[0];
}

/** Losses, validations and norms, without times. */
async function curve(folder: string): Promise<Record<string, number>[]> {
  const rows = await readMetricRows(join(folder, 'metrics.jsonl'));
  const isOfTheRun = ([key]: [string, unknown]) => /loss|norm|^step$|epoch$/.test(key);
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(isOfTheRun))) as Record<
    string,
    number
  >[];
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
  });
});
