// Runs jobs on worker threads, each thread taking the next job when it is free; with no workers the jobs run
// here, one after the other.
import { Worker } from 'node:worker_threads';
import { AnemoneError } from '../../src/errors/index.js';
import type { ManifestLine } from '../lib/manifest.js';
import { type Job, runJob } from './job.js';
import type { WorkerMessage } from './worker.js';

/** Manifest lines in the order of the jobs, however the threads shared them. */
export async function runJobs(
  jobs: readonly Job[],
  workers: number,
  onUtterance: (seconds: number) => void,
): Promise<ManifestLine[]> {
  const results: ManifestLine[][] = jobs.map(() => []);
  let next = 0;
  const drain = async (run: (job: Job) => Promise<ManifestLine[]>) => {
    while (next < jobs.length) {
      const index = next++;
      results[index] = await run(jobs[index]);
    }
  };
  if (workers === 0) {
    await drain((job) => runJob(job, onUtterance));
  } else {
    const threads = Array.from({ length: workers }, startWorker);
    try {
      await Promise.all(threads.map((thread) => drain((job) => runOn(thread, job, onUtterance))));
    } finally {
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
  }
  return results.flat();
}

/** A thread that runs worker.ts; tsx's loader does not reach into threads by itself. */
function startWorker(): Worker {
  const loader = import.meta.resolve('tsx/esm/api');
  const entry = new URL('./worker.ts', import.meta.url).href;
  const bootstrap = `import('${loader}').then(({ register }) => (register(), import('${entry}')));`;
  return new Worker(bootstrap, { eval: true });
}

function runOn(thread: Worker, job: Job, onUtterance: (seconds: number) => void): Promise<ManifestLine[]> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      thread.off('message', onMessage);
      thread.off('error', onError);
      finish();
    };
    const onError = (error: Error) => settle(() => reject(error));
    const onMessage = (message: WorkerMessage) => {
      if (message.kind === 'utterance') onUtterance(message.seconds);
      else if (message.kind === 'done') settle(() => resolve(message.lines));
      else {
        const failure = new AnemoneError({ code: 'digits.synthesis', message: message.error });
        settle(() => reject(failure));
      }
    };
    thread.on('message', onMessage);
    thread.on('error', onError);
    thread.postMessage(job);
  });
}
