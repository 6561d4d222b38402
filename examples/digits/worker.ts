// Thread entry: takes jobs one after the other, reports each utterance and each finished job.
import { parentPort } from 'node:worker_threads';
import type { ManifestLine } from '../lib/manifest.js';
import { type Job, runJob } from './job.js';

export type WorkerMessage =
  | { readonly kind: 'utterance'; readonly seconds: number }
  | { readonly kind: 'done'; readonly lines: ManifestLine[] }
  | { readonly kind: 'failed'; readonly error: string };

const port = parentPort;
port?.on('message', (job: Job) => {
  runJob(job, (seconds) => port.postMessage({ kind: 'utterance', seconds } satisfies WorkerMessage)).then(
    (lines) => port.postMessage({ kind: 'done', lines } satisfies WorkerMessage),
    (error: unknown) =>
      port.postMessage({
        kind: 'failed',
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      } satisfies WorkerMessage),
  );
});
