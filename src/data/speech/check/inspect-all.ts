// Looks at many recordings at a time, in worker threads where that pays.
import { availableParallelism } from 'node:os';
import { WorkerPool, workerModule } from '../../workers/index.js';
import { type Inspection, inspect } from './inspect.js';

export interface InspectOptions {
  /** Decode every recording instead of reading headers. Default false. */
  readonly deep?: boolean | undefined;
  /** Worker threads; 0 is the main thread. Default: the cores. */
  readonly workers?: number | undefined;
  /** Gets the number of recordings looked at so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Files a task; small enough for progress, large enough to be worth a message. */
const CHUNK = 64;

/** What was seen of each recording, by path; a path named twice is looked at once. */
export async function inspectAll(
  paths: readonly string[],
  { deep = false, workers = availableParallelism(), onProgress }: InspectOptions = {},
): Promise<Map<string, Inspection>> {
  const distinct = [...new Set(paths)];
  const chunks = Array.from({ length: Math.ceil(distinct.length / CHUNK) }, (_, i) =>
    distinct.slice(i * CHUNK, (i + 1) * CHUNK),
  );
  let done = 0;
  const note = (inspections: Inspection[]) => {
    done += inspections.length;
    onProgress?.(done, distinct.length);
    return inspections;
  };
  // Starting threads costs more than a few headers.
  if (workers === 0 || (chunks.length < 4 && !deep)) {
    const all: Inspection[] = [];
    for (const chunk of chunks) all.push(...note(await inspect({ paths: chunk, deep })));
    return new Map(all.map((inspection) => [inspection.path, inspection]));
  }
  const threads = Math.min(workers, chunks.length);
  const pool = new WorkerPool({ module: workerModule('speech/check/inspect-worker'), threads });
  try {
    const all = await Promise.all(
      chunks.map(async (chunk) =>
        note(await pool.run<Inspection[]>({ paths: chunk, deep }, `the check of ${chunk[0]}`)),
      ),
    );
    return new Map(all.flat().map((inspection) => [inspection.path, inspection]));
  } finally {
    await pool.close();
  }
}
