// Cancelling: which signal ends the runs of programs that are started now. It goes along with what is awaited, so that
// nothing between a caller and its programs has to pass it on.
import { AsyncLocalStorage } from 'node:async_hooks';
import { AnemoneError } from '../errors/index.js';

const signals = new AsyncLocalStorage<AbortSignal>();

/**
 * What `fn` returns; the runs of programs that it starts and awaits end when `signal` is aborted, and nothing that they
 * would have changed has changed.
 * @throws AnemoneError `engine.cancelled` from the run that was ended, or would have been the next
 */
export async function cancellable<R>(signal: AbortSignal | undefined, fn: () => Promise<R>): Promise<R> {
  return signal ? signals.run(signal, fn) : fn();
}

/** The signal of the innermost `cancellable` around. */
export function signalAround(): AbortSignal | undefined {
  return signals.getStore();
}

/** For what is not a run: ends it where the signal is aborted. @throws AnemoneError `engine.cancelled` */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}

/** The error of what a signal has ended. */
export function cancelled(signal: AbortSignal): AnemoneError {
  return new AnemoneError({ code: 'engine.cancelled', message: 'cancelled', cause: signal.reason });
}

/** Whether an error says that a signal has ended something. */
export function isCancelled(error: unknown): boolean {
  return error instanceof AnemoneError && error.code === 'engine.cancelled';
}
