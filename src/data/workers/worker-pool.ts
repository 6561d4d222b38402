// A pool of worker threads.
import type { Worker } from 'node:worker_threads';
import { AnemoneError } from '../../errors/index.js';
import { errorFromRecord, READY, type Reply } from './serve.js';
import { spawnWorker } from './spawn.js';

/** What threads run, and how long they may take. */
export interface WorkerPoolOptions {
  /** Module that calls `serve`, from `moduleBeside`. */
  readonly module: URL;
  /** Most threads at a time. */
  readonly threads: number;
  /** Given to each thread at its start. */
  readonly data?: unknown;
  /** Seconds after which a task counts as hung and its thread is ended. Default 300. */
  readonly timeoutSeconds?: number | undefined;
  /** Seconds without work after which a thread ends. Default 30. */
  readonly idleSeconds?: number;
}

interface Job {
  readonly id: number;
  readonly task: unknown;
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** A thread died with it. */
  retried?: boolean;
}

interface Thread {
  readonly worker: Worker;
  /** It has loaded its code. */
  ready: boolean;
  job?: Job | undefined;
  timer?: NodeJS.Timeout;
}

/** Loading the code is not part of a task; on a busy machine it takes seconds. */
const START_SECONDS = 120;

/** A clock of one piece would have run out when a closed laptop is opened again. */
const CLOCK_SLICES = 10;

/**
 * A few worker threads that share a queue of tasks. Threads start when there is work, rest without keeping the
 * process alive, and end after a while without work. A task whose thread died is tried once more on another; a
 * second death, or a thread that hangs, fails that task only.
 */
export class WorkerPool {
  private readonly threads = new Set<Thread>();
  private readonly queue: Job[] = [];
  private readonly ended: Promise<number>[] = [];
  private nextId = 0;
  private closed = false;

  constructor(private readonly options: WorkerPoolOptions) {}

  /** Threads alive now. */
  get size(): number {
    return this.threads.size;
  }

  /**
   * Runs a task on the next free thread.
   * @param label names the task in an error
   * @param signal drops the task if it has not started by then; one under way is finished
   * @throws AnemoneError `data.worker-lost`, `data.worker-timeout`, `data.closed`, or what the task threw
   */
  run<R>(task: unknown, label = 'a task', signal?: AbortSignal): Promise<R> {
    if (this.closed) return Promise.reject(closedError());
    return new Promise<R>((resolve, reject) => {
      this.queue.push({
        id: this.nextId++,
        task,
        label,
        signal,
        resolve: resolve as (value: unknown) => void,
        reject,
      });
      this.dispatch();
    });
  }

  /** Ends all threads; tasks under way are rejected. */
  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.queue.splice(0)) job.reject(closedError());
    for (const thread of [...this.threads]) this.end(thread, closedError());
    await Promise.all(this.ended);
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      if (this.queue[0].signal?.aborted) {
        this.queue.shift()!.reject(closedError());
        continue;
      }
      const idle = [...this.threads].find((thread) => thread.job === undefined);
      if (!idle && this.threads.size >= this.options.threads) return;
      this.start(idle ?? this.spawn(), this.queue.shift()!);
    }
  }

  private start(thread: Thread, job: Job): void {
    thread.job = job;
    thread.worker.ref();
    this.watch(thread, thread.ready ? 0 : START_SECONDS);
    thread.worker.postMessage({ id: job.id, task: job.task });
  }

  /** (Re)starts the clock of the thread's task. Time in which the whole process was suspended costs one slice of it. */
  private watch(thread: Thread, graceSeconds: number): void {
    clearTimeout(thread.timer);
    const seconds = this.options.timeoutSeconds ?? 300;
    const giveUp = () => {
      const label = thread.job?.label ?? 'a task';
      this.end(
        thread,
        new AnemoneError({
          code: 'data.worker-timeout',
          message: `${label} took more than ${seconds} s in a worker thread, which was ended`,
          hint: 'check the files it names',
        }),
      );
      this.dispatch();
    };
    const tick = (left: number) => {
      const next = () => (left > 1 ? tick(left - 1) : giveUp());
      thread.timer = setTimeout(next, ((seconds + graceSeconds) * 1000) / CLOCK_SLICES);
    };
    tick(CLOCK_SLICES);
  }

  private spawn(): Thread {
    const worker = spawnWorker(this.options.module, { workerData: this.options.data });
    const thread: Thread = { worker, ready: false };
    this.threads.add(thread);
    worker.on('message', (reply: Reply | typeof READY) => this.receive(thread, reply));
    worker.on('error', (error) => {
      this.lose(thread, error);
    });
    worker.on('exit', (code) => {
      this.lose(thread, `it exited with code ${code}`);
    });
    return thread;
  }

  private receive(thread: Thread, reply: Reply | typeof READY): void {
    if (reply === READY) {
      thread.ready = true;
      if (thread.job) this.watch(thread, 0);
      return;
    }
    const job = thread.job;
    if (job === undefined || job.id !== reply.id) return;
    clearTimeout(thread.timer);
    thread.job = undefined;
    thread.worker.unref();
    thread.timer = setTimeout(() => this.end(thread), (this.options.idleSeconds ?? 30) * 1000);
    thread.timer.unref();
    if (reply.ok) job.resolve(reply.value);
    else job.reject(errorFromRecord(reply.error));
    this.dispatch();
  }

  /**
   * Deals with the task of a thread that died: the fault may have been the thread's own, so the task is tried once
   * more.
   */
  private lose(thread: Thread, why: unknown): void {
    const { job } = thread;
    if (job && !job.retried && this.threads.has(thread) && !this.closed) {
      job.retried = true;
      thread.job = undefined;
      this.queue.unshift(job);
    }
    this.end(thread, lostError(thread, why));
    this.dispatch();
  }

  private end(thread: Thread, error?: AnemoneError): void {
    if (!this.threads.delete(thread)) return;
    clearTimeout(thread.timer);
    thread.worker.removeAllListeners();
    // An error while the thread goes down must not become an uncaught one.
    thread.worker.on('error', () => undefined);
    const termination = thread.worker.terminate();
    this.ended.push(termination);
    void termination.finally(() => this.ended.splice(this.ended.indexOf(termination), 1));
    if (error) thread.job?.reject(error);
    thread.job = undefined;
  }
}

function lostError(thread: Thread, why: unknown): AnemoneError {
  const reason = why instanceof Error ? why.message : String(why);
  return new AnemoneError({
    code: 'data.worker-lost',
    message: `two worker threads were lost during ${thread.job?.label ?? 'their start'}: ${reason}`,
    hint: 'set num_workers: 0 to see the failure in the main thread',
    cause: why,
  });
}

function closedError(): AnemoneError {
  return new AnemoneError({ code: 'data.closed', message: 'the data source was closed' });
}
