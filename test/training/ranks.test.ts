import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, listCheckpoints, readMetricRows } from '../../src/training/index.js';
import { bundledProgram } from '../bundled-program.js';
import { temporaryFolder } from './helpers.js';

const program = await bundledProgram(new URL('programs/train-ranks.ts', import.meta.url));
/** A step is four batches, whoever makes them. */
const STEP = { accumulate_over: 'all_ranks', accumulate_grad_batches: 4, val_check_interval: 10 };

interface Run {
  readonly process: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly text: string }>;
}

function start(folder: string, trainer: object, delay = 0): Run {
  const args = [program, folder, JSON.stringify(trainer), String(delay)];
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

/** Weights and running statistics. */
async function weights(folder: string): Promise<number[]> {
  const tensors = await (await lastOf(folder)).tensors('weights');
  return [...tensors.values()].flatMap(({ data }) => Array.from(data as ArrayLike<number>));
}

/** Processes of the run: the one that watches, and its ranks. */
function ranksOf(run: Run): number[] {
  const children = readFileSync(`/proc/${run.process.pid}/task/${run.process.pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

/** Waits until `text` is printed. */
async function printed(run: Run, text: string): Promise<void> {
  const said = new Promise<void>((resolve) => {
    let all = '';
    run.process.stderr?.on('data', (chunk: Buffer) => {
      all += chunk.toString();
      if (all.includes(text)) resolve();
    });
  });
  await Promise.race([said, run.ended]);
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

  it('go on as another number of ranks at the very next batch', async () => {
    const folder = temporaryFolder();
    await train(folder, { ...STEP, devices: 4, max_steps: 3 });
    const text = await train(folder, { ...STEP, devices: 2, max_steps: 6 });
    expect(text).toMatch(/resumed from .*step 3/);
    expectClose(await curve(folder), await curve(alone));
  });

  it('refuse a batch that they cannot divide', async () => {
    const { code, text } = await start(temporaryFolder(), { ...STEP, devices: 3, max_steps: 3 }).ended;
    expect(code).toBe(2);
    expect(text.trim().split('\n')).toHaveLength(1);
    expect(text).toMatch(/3 ranks .* 4 batches/);
  });
});

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
    await printed(run, 'step 4');
    const [, victim] = ranksOf(run);
    process.kill(victim, 'SIGKILL');
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
    await printed(run, 'step 2');
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
    await printed(run, 'step 2');
    process.kill([run.process.pid as number, ranksOf(run)[1]][index], 'SIGTERM');
    const { code, text } = await run.ended;
    expect(code, text).toBe(143);
    expect(text).toMatch(/interrupted: SIGTERM/);
    // An epoch is two steps of four batches and one of two.
    const { step, batches } = (await lastOf(folder)).state.progress;
    expect(batches).toBe(10 * Math.floor(step / 3) + 4 * (step % 3));
  });
});
