import { afterEach, describe, expect, it } from 'vitest';
import { moduleBeside, WorkerPool } from '../../src/data/index.js';
import { type PrefetchGauges, prefetch } from '../../src/data/prefetch.js';

const pools: WorkerPool[] = [];
function pool(threads: number, timeoutSeconds?: number, data: object = { greeting: 'hello' }): WorkerPool {
  const module = moduleBeside('./failing-worker', import.meta.url);
  const made = new WorkerPool({ module, threads, data, timeoutSeconds });
  pools.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map((p) => p.close()));
});

describe('a worker pool', () => {
  it('answers in any number of threads and passes errors on with their codes', async () => {
    const two = pool(2);
    const answers = await Promise.all(['a', 'b', 'c'].map((task) => two.run<string>(task)));
    expect(answers).toEqual(['hello a', 'hello b', 'hello c']);
    expect(two.size).toBe(2);
    await expect(two.run('throw')).rejects.toMatchObject({ code: 'test.thrown', message: 'as told' });
    await expect(two.run('bug')).rejects.toThrow('a bug');
    expect(await two.run('d')).toBe('hello d');
  });

  it('survives a thread that dies and one that hangs: their tasks fail, others go on', async () => {
    const one = pool(1, 2);
    const died = one.run('die', 'the last task').catch((e: unknown) => e);
    const after = one.run<string>('after');
    expect(await died).toMatchObject({ code: 'data.worker-lost' });
    expect(String(await died)).toContain(
      'two worker threads were lost during the last task: it exited with code 7',
    );
    expect(await after).toBe('hello after');
    const hung = one.run('hang').catch((e: unknown) => e);
    const then = one.run<string>('then');
    expect(await hung).toMatchObject({ code: 'data.worker-timeout' });
    expect(await then).toBe('hello then');
  });

  it('tries a task once more when its thread dies', async () => {
    const deaths = new SharedArrayBuffer(4);
    const one = pool(1, 60, { greeting: 'hello', deaths });
    expect(await one.run<string>('die once')).toBe('hello die once');
    expect(new Int32Array(deaths)[0]).toBe(2);
  });

  it('does not take a process that stood still for a thread that hangs', async () => {
    const one = pool(1, 1);
    await one.run('ready');
    const answer = one.run<string>('slow');
    // As if the machine had slept: when it wakes, the time is up and the thread has not gone on yet.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1300);
    expect(await answer).toBe('hello slow');
  });

  it('rejects what is under way and what comes later when it is closed, and leaves no thread', async () => {
    const one = pool(1);
    const pending = ['a', 'b'].map((task) => one.run(task).catch((e: unknown) => e));
    await one.close();
    for (const error of await Promise.all(pending)) expect(error).toMatchObject({ code: 'data.closed' });
    await expect(one.run('c')).rejects.toMatchObject({ code: 'data.closed' });
    expect(one.size).toBe(0);
  });

  it('drops a task that was given up before it started', async () => {
    const one = pool(1);
    const first = one.run<string>('a');
    const given = new AbortController();
    const second = one.run('b', 'b', given.signal).catch((e: unknown) => e);
    given.abort();
    expect(await first).toBe('hello a');
    expect(await second).toMatchObject({ code: 'data.closed' });
  });
});

describe('prefetching', () => {
  const gauges = (): PrefetchGauges => ({ ready: 0, running: 0, waitSeconds: 0 });
  const later = <T>(value: T, turns: number) =>
    new Promise<T>((resolve) => {
      setTimeout(() => resolve(value), turns);
    });

  it('keeps order and both bounds', async () => {
    for (const [count, bytes, most] of [
      [3, 1e9, 3],
      [10, 25, 2],
      [10, 5, 1],
    ]) {
      let alive = 0;
      let peak = 0;
      const g = gauges();
      const start = async (n: number) => {
        peak = Math.max(peak, ++alive);
        return later(n, n % 3 === 0 ? 8 : 1);
      };
      const seen: number[] = [];
      const tasks = Array.from({ length: 9 }, (_, i) => i);
      for await (const n of prefetch(tasks, start, { count, bytes, bytesOf: () => 10 }, g)) {
        alive--;
        seen.push(n);
      }
      expect(seen).toEqual(tasks);
      expect(peak).toBe(most);
      expect([g.ready, g.running]).toEqual([0, 0]);
    }
  });

  it('starts nothing more after it was left, and passes on the failure whose turn it is', async () => {
    const started: number[] = [];
    const signals: AbortSignal[] = [];
    const start = async (n: number, signal: AbortSignal) => {
      started.push(n);
      signals.push(signal);
      if (n === 2) throw new Error('two');
      return later(n, 1);
    };
    const bounds = { count: 2, bytes: 1e9, bytesOf: () => 1 };
    for await (const n of prefetch([0, 1, 5, 6], start, bounds, gauges())) {
      expect(n).toBe(0);
      break;
    }
    expect(started).toEqual([0, 1]);
    expect(signals[0].aborted).toBe(true);
    const seen: number[] = [];
    const run = (async () => {
      for await (const n of prefetch([0, 1, 2, 3], start, bounds, gauges())) seen.push(n);
    })();
    await expect(run).rejects.toThrow('two');
    expect(seen).toEqual([0, 1]);
  });
});
