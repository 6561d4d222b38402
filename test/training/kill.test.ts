import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CounterRandom } from '../../src/random/index.js';
import { Checkpoint, listCheckpoints, readMetricRows } from '../../src/training/index.js';
import { bundledProgram } from '../bundled-program.js';
import { temporaryFolder } from './helpers.js';

const program = await bundledProgram(new URL('programs/train-toy.ts', import.meta.url));
const STEPS = 60;

interface Run {
  readonly process: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null; log: string }>;
}

function start(folder: string, delay: number): Run {
  const child = spawn(process.execPath, [program, folder, String(STEPS), String(delay)]);
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = new Promise<Awaited<Run['ended']>>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal, log }));
  });
  return { process: child, ended };
}

/** Waits until the process prints `text`, of a step if nothing else is said. */
async function printed(run: Run, text = 'step '): Promise<void> {
  await Promise.race([
    run.ended,
    new Promise<void>((resolve) => {
      run.process.stderr?.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes(text)) resolve();
      });
    }),
  ]);
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function lastOf(folder: string): Promise<Checkpoint> {
  return (await listCheckpoints(join(folder, 'checkpoints'))).checkpoints[0];
}

/** Every byte of the tensors of a checkpoint. */
function tensorBytes(checkpoint: Checkpoint): Buffer {
  const files = ['weights', 'optimizer', 'ema'].map((group) => `${group}.safetensors`);
  return Buffer.concat(files.map((file) => readFileSync(join(checkpoint.path, file))));
}

describe('a run that is killed', () => {
  it('ends, resumed as often as needed, where an uninterrupted one ends, byte for byte', async () => {
    const whole = temporaryFolder();
    expect((await start(whole, 0).ended).code).toBe(0);

    const broken = temporaryFolder();
    const random = new CounterRandom(Date.now());
    const moments: number[] = [];
    let killed = 0;
    for (let kills = 0; kills < 4; kills++) {
      const run = start(broken, 15);
      await printed(run);
      moments.push(random.integer(kills, 350));
      await wait(moments[kills]);
      run.process.kill('SIGKILL');
      if ((await run.ended).signal === 'SIGKILL') killed++;
    }
    expect(killed).toBeGreaterThan(1);
    const end = await start(broken, 0).ended;
    expect(end.code, end.log).toBe(0);

    const [expected, actual] = [await lastOf(whole), await lastOf(broken)];
    expect(actual.state.progress.step).toBe(STEPS);
    const hint = `killed after ${moments.join(', ')} ms`;
    expect(tensorBytes(actual).equals(tensorBytes(expected)), hint).toBe(true);
    expect(actual.state.metrics['val/loss'], hint).toBe(expected.state.metrics['val/loss']);
    // No rows of steps that were lost and trained again, and nothing half-written left behind.
    const steps = (await readMetricRows(join(broken, 'metrics.jsonl'))).map((row) => row.step);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(readdirSync(join(broken, 'checkpoints')).filter((name) => name.startsWith('.'))).toEqual([]);
  }, 120_000);
});

describe('a run that is asked to stop', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('finishes the step and saves on %s, and exits with %i', async (signal, code) => {
    const folder = temporaryFolder();
    const run = start(folder, 60);
    await printed(run);
    run.process.kill(signal);
    const end = await run.ended;
    expect(end.code, end.log).toBe(code);
    expect(end.log).toContain(`${signal}: finishing the step and saving`);
    expect(end.log).toContain(`interrupted: ${signal}`);
    const saved = await lastOf(folder);
    const rows = await readMetricRows(join(folder, 'metrics.jsonl'));
    expect(saved.state.progress.step).toBe(rows[rows.length - 1].step);
    await Checkpoint.open(saved.path);
  });

  it('ends at once when asked again', async () => {
    const run = start(temporaryFolder(), 5000);
    // A step takes five seconds: both signals come during the second.
    await printed(run);
    run.process.kill('SIGINT');
    await printed(run, 'finishing the step');
    run.process.kill('SIGTERM');
    expect((await run.ended).code).toBe(143);
  });
});
