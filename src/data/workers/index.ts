// Worker threads: starting them from sources or compiled code, and sharing work among them.
export { type Answer, type ErrorRecord, errorFromRecord, recordError, serve } from './serve.js';
export { moduleBeside, spawnWorker, workerModule } from './spawn.js';
export { WorkerPool, type WorkerPoolOptions } from './worker-pool.js';
