// Who may write in the folder of a run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startOf } from '../../src/distributed/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { expManager, Trainer } from '../../src/training/index.js';
import { LOCK_FILE, RunLock } from '../../src/training/run-lock.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel } from './toy-model.js';

const DEAD = 2 ** 22 + 1; // more than Linux gives out

function lockedBy(holder: unknown): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, LOCK_FILE), typeof holder === 'string' ? holder : JSON.stringify(holder));
  return folder;
}

const holder = { pid: process.ppid, host: hostname(), started: null, since: '2026-01-02T03:04:05.000Z' };

describe('the lock of a run', () => {
  it('refuses what another process holds, and names it', () => {
    const folder = lockedBy(holder);
    expect(() => RunLock.take(folder)).toThrow(
      expect.objectContaining({
        code: 'run.locked',
        exitCode: 2,
        message: expect.stringMatching(
          new RegExp(
            `run.lock: process ${process.ppid} on ${hostname()} is training here since 2026-01-02.* — wait`,
          ),
        ),
      }),
    );
    expect(JSON.parse(readFileSync(join(folder, LOCK_FILE), 'utf8'))).toEqual(holder);
  });

  it('of another machine says what to do, whatever process has its number here', () => {
    const folder = lockedBy({ ...holder, host: 'elsewhere', pid: DEAD });
    expect(() => RunLock.take(folder)).toThrow(
      /on elsewhere .* — wait for it; if it is gone, remove .*run\.lock/,
    );
  });

  it.each<[string, unknown]>([
    ['a process that is gone', { ...holder, pid: DEAD }],
    ['a process of our own number before us', { ...holder, pid: process.pid }],
    ['a process that was cut off while it wrote', '{"pid": 1'],
    ['nobody', 'null'],
  ])('is taken over from %s', (_who, stale) => {
    const folder = lockedBy(stale);
    const lock = RunLock.take(folder);
    expect(JSON.parse(readFileSync(join(folder, LOCK_FILE), 'utf8'))).toMatchObject({ pid: process.pid });
    lock.release();
    expect(existsSync(join(folder, LOCK_FILE))).toBe(false);
  });

  it('is taken over when its number went to a younger process', ({ skip }) => {
    skip(!existsSync('/proc/self/stat'), 'only /proc says when a process began');
    const folder = lockedBy({ ...holder, started: 'another boot 17' });
    const lock = RunLock.take(folder);
    expect(lock.tookOverFrom).toMatchObject({ pid: process.ppid });
    lock.release();
  });

  it('is taken over from a process that was killed and that nobody has asked after', async ({ skip }) => {
    skip(!existsSync('/proc/self/stat'), 'only /proc tells the dead from the living');
    // The shell becomes a program that does not know of its child.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const pid = Number(await once(parent.stdout, 'data'));
      await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z');
      RunLock.take(lockedBy({ ...holder, pid })).release();
      RunLock.take(lockedBy({ ...holder, pid, started: startOf(pid) })).release();
    } finally {
      parent.kill();
    }
  });

  it('of a folder does not hold its copies', () => {
    const folder = lockedBy({ ...holder, folder: 'of the first one' });
    RunLock.take(folder).release();
  });

  it('is shared within a process, and gone with the last that has it', () => {
    const folder = temporaryFolder();
    const [first, second] = [RunLock.take(folder), RunLock.take(folder)];
    first.release();
    first.release();
    expect(existsSync(join(folder, LOCK_FILE))).toBe(true);
    second.release();
    expect(existsSync(join(folder, LOCK_FILE))).toBe(false);
  });

  it('leaves alone what another process took after it was removed by hand', () => {
    const folder = temporaryFolder();
    const lock = RunLock.take(folder);
    writeFileSync(join(folder, LOCK_FILE), JSON.stringify(holder));
    lock.release();
    expect(existsSync(join(folder, LOCK_FILE))).toBe(true);
  });

  it('does not stand where a folder does', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, LOCK_FILE));
    expect(() => RunLock.take(folder)).toThrow(/no file stands where the lock/);
  });
});

describe('a trainer', () => {
  const manager = (folder: string, more: object = {}) => ({
    explicit_log_dir: folder,
    create_tensorboard_logger: false,
    create_report: false,
    ...more,
  });
  const made = () => {
    const view = new RecordingView();
    return new Trainer({ max_steps: 2, handle_signals: false }, { engine: createReferenceEngine(), view });
  };

  it('writes nothing into a folder that is held', async () => {
    const folder = lockedBy(holder);
    await expect(expManager(made(), manager(folder))).rejects.toMatchObject({ code: 'run.locked' });
    expect(existsSync(join(folder, 'cmd-args.log'))).toBe(false);
  });

  it('holds a folder of checkpoints that lies elsewhere too', async () => {
    const elsewhere = lockedBy(holder);
    const params = { checkpoint_callback_params: { dirpath: elsewhere } };
    await expect(expManager(made(), manager(temporaryFolder(), params))).rejects.toMatchObject({
      code: 'run.locked',
    });
  });

  it('fits in a folder while no other does, and gives it back when it is disposed', async () => {
    const folder = temporaryFolder();
    const [first, second] = [made(), made()];
    await expManager(first, manager(folder));
    await expManager(second, manager(folder));
    const fit = first.fit(new ToyModel({ delay: 5 }));
    await expect(second.fit(new ToyModel())).rejects.toMatchObject({ code: 'run.locked' });
    await fit;
    expect((await second.fit(new ToyModel())).progress.step).toBe(2);
    await first.dispose();
    await second.dispose();
    expect(existsSync(join(folder, LOCK_FILE))).toBe(false);
  });
});
