// The worker's side of a WorkerPool: answers one request at a time.
import { parentPort, type TransferListItem, workerData } from 'node:worker_threads';
import { AnemoneError } from '../../errors/index.js';

export interface Request {
  readonly id: number;
  readonly task: unknown;
}

/** An error as data: classes do not survive the way between threads. */
export interface ErrorRecord {
  readonly code?: string;
  readonly message: string;
  readonly stack?: string | undefined;
}

/** Sent once, when the thread has loaded its code and listens. */
export const READY = 'ready';

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: ErrorRecord };

export interface Answer<R> {
  readonly value: R;
  /** Buffers handed over instead of copied. */
  readonly transfer?: readonly ArrayBuffer[];
}

/** Answers one task after the other. */
type Handler<T, R> = (task: T) => Promise<Answer<R>>;

/**
 * Serves requests with the handler made from the pool's start-up data.
 * @param start called once, with the pool's `data`
 */
export function serve<D, T, R>(start: (data: D) => Handler<T, R> | Promise<Handler<T, R>>): void {
  const port = parentPort;
  if (port === null) throw new Error('this module runs in a worker thread only');
  let handler: Handler<T, R> | undefined;
  port.on('message', (request: Request) => {
    void (async () => {
      let reply: Reply;
      let transfer: readonly ArrayBuffer[] = [];
      try {
        handler ??= await start(workerData as D);
        const answer = await handler(request.task as T);
        transfer = answer.transfer ?? [];
        reply = { id: request.id, ok: true, value: answer.value };
      } catch (error) {
        reply = { id: request.id, ok: false, error: recordError(error) };
      }
      port.postMessage(reply, transfer as readonly TransferListItem[] as TransferListItem[]);
    })();
  });
  port.postMessage(READY);
}

export function recordError(error: unknown): ErrorRecord {
  if (error instanceof AnemoneError) return { code: error.code, message: error.message, stack: error.stack };
  if (error instanceof Error) return { message: error.message, stack: error.stack };
  return { message: String(error) };
}

export function errorFromRecord(record: ErrorRecord): Error {
  if (record.code !== undefined) return new AnemoneError({ code: record.code, message: record.message });
  const error = new Error(record.message);
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}
