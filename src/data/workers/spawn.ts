// Starts a worker thread on a module of this library, compiled (.js) or as source (.ts under tsx or
// vitest, where a plain worker could not load TypeScript).
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * The sibling module `name` of the module that asks: `moduleBeside('./batch-worker', import.meta.url)`.
 * It has the asker's own extension, so that sources start sources and compiled files compiled ones.
 */
export function moduleBeside(name: string, asker: string): URL {
  const extension = new URL(asker).pathname.endsWith('.ts') ? '.ts' : '.js';
  return new URL(name + extension, asker);
}

/** The folder that this module is of: as a source it lies deeper in it than when the folder's modules are one file. */
const DATA = import.meta.url.slice(0, import.meta.url.lastIndexOf('/data/') + '/data/'.length);

/** A worker of this folder by its path there: `workerModule('speech/pipeline/batch-worker')`. */
export function workerModule(path: string): URL {
  const name = import.meta.url.slice(import.meta.url.lastIndexOf('/'));
  return moduleBeside(path, `${DATA.slice(0, -1)}${name}`);
}

/** A worker running `module`; a TypeScript module is loaded through tsx (a development dependency). */
export function spawnWorker(module: URL, options: WorkerOptions): Worker {
  // Flags of the parent (a test runner's, a debugger's) are not for its workers.
  const givenOptions: WorkerOptions = { execArgv: [], ...options };
  if (!module.pathname.endsWith('.ts')) return new Worker(module, givenOptions);
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const api = new URL('./dist/esm/api/index.mjs', tsx).href;
  // `--import tsx` does not reach modules of a worker in Node 20; registering inside the worker does.
  const bootstrap = `import { register } from ${JSON.stringify(api)};
register();
await import(${JSON.stringify(module.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(bootstrap)}`), givenOptions);
}
