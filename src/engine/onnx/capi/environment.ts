// ONNX Runtime's environment, one a process: whoever makes it first decides about its threads. All sessions with as many
// threads as it has share its pool; others, or all where another part of the program was first, have pools of their own.
import type { Pointer } from '../../native/koffi.js';
import { type OrtApi, OrtError } from './api.js';

/** `ORT_LOGGING_LEVEL_FATAL` of the header: what fails comes back as a status. (A device's errors are logged, too, as they happen.) */
const FATAL_ONLY = 4;
const LOG_ID = 'anemone';

interface Environment {
  readonly pointer: Pointer;
  /** Threads of the shared pool; undefined where it turned out that there is none. */
  sharedThreads: number | undefined;
}

let environment: Environment | undefined;

/** The environment, made with a pool of `threads` threads if it is the first that is asked for. */
function environmentOf(api: OrtApi, threads: number): Environment {
  environment ??= { pointer: makeEnvironment(api, threads), sharedThreads: threads };
  return environment;
}

/**
 * Makes a session with `make`, in the shared pool where that has as many threads.
 * @param options a session's; what they say of threads is decided here
 */
export function inEnvironment(
  api: OrtApi,
  threads: number,
  options: () => Pointer,
  make: (environment: Pointer, options: Pointer) => Pointer,
): Pointer {
  const current = environmentOf(api, threads);
  const attempt = (shared: boolean): Pointer => {
    const pointer = options();
    try {
      if (shared) api.call('DisablePerSessionThreads', pointer);
      else useOwnThreads(api, pointer, threads);
      return make(current.pointer, pointer);
    } finally {
      api.release('ReleaseSessionOptions', pointer);
    }
  };
  if (current.sharedThreads !== threads) return attempt(false);
  try {
    return attempt(true);
  } catch (error) {
    if (!isWithoutPool(error)) throw error;
    current.sharedThreads = undefined;
    return attempt(false);
  }
}

function makeEnvironment(api: OrtApi, threads: number): Pointer {
  const threading = api.make('CreateThreadingOptions');
  try {
    api.call('SetGlobalIntraOpNumThreads', threading, threads);
    api.call('SetGlobalInterOpNumThreads', threading, 1);
    api.call('SetGlobalSpinControl', threading, 0);
    return api.make('CreateEnvWithGlobalThreadPools', FATAL_ONLY, LOG_ID, threading);
  } finally {
    api.release('ReleaseThreadingOptions', threading);
  }
}

function useOwnThreads(api: OrtApi, options: Pointer, threads: number): void {
  api.call('SetIntraOpNumThreads', options, threads);
  api.call('SetInterOpNumThreads', options, 1);
  // Threads that spin while they wait take the cores from loader workers and from JavaScript: measured, that costs more
  // than it wins wherever there are any.
  api.call('AddSessionConfigEntry', options, 'session.intra_op.allow_spinning', '0');
}

/** An environment that was made elsewhere, by onnxruntime-node for example, has no shared pool. */
function isWithoutPool(error: unknown): boolean {
  return error instanceof OrtError && /per session threadpools|global threadpool/i.test(error.message);
}
