// Keeps a bounded number of results under way and hands them out in order. Leaving the iteration early
// drops what has not started. Knows nothing of what the results are.

export interface PrefetchBounds<T> {
  /** Tasks under way or waiting to be taken, at most; at least 1. */
  readonly count: number;
  /** Bytes these may hold together; a single task may exceed it. */
  readonly bytes: number;
  bytesOf(task: T): number;
}

/** What is going on, for the log line; updated while the iteration runs. */
export interface PrefetchGauges {
  /** Results ready to be taken. */
  ready: number;
  /** Tasks under way. */
  running: number;
  /** Seconds the consumer has waited in all. */
  waitSeconds: number;
}

interface Slot<R> {
  readonly result: Promise<R>;
  readonly bytes: number;
  done: boolean;
}

/** Results of `start` for each task, in the order of the tasks. */
export async function* prefetch<T, R>(
  tasks: readonly T[],
  start: (task: T, signal: AbortSignal) => Promise<R>,
  bounds: PrefetchBounds<T>,
  gauges: PrefetchGauges,
): AsyncGenerator<R, void, undefined> {
  const left = new AbortController();
  const slots: Slot<R>[] = [];
  let next = 0;
  let bytes = 0;
  const fill = () => {
    while (next < tasks.length && slots.length < Math.max(1, bounds.count)) {
      const size = bounds.bytesOf(tasks[next]);
      if (slots.length > 0 && bytes + size > bounds.bytes) return;
      slots.push(launch(start(tasks[next++], left.signal), size, gauges));
      bytes += size;
    }
  };
  try {
    for (fill(); slots.length > 0; fill()) {
      const slot = slots[0];
      const since = performance.now();
      const result = await slot.result.finally(() => {
        gauges.waitSeconds += (performance.now() - since) / 1000;
      });
      slots.shift();
      bytes -= slot.bytes;
      gauges.ready--;
      yield result;
    }
  } finally {
    left.abort();
    gauges.ready -= slots.filter((slot) => slot.done).length;
  }
}

function launch<R>(result: Promise<R>, bytes: number, gauges: PrefetchGauges): Slot<R> {
  const slot: Slot<R> = { result, bytes, done: false };
  gauges.running++;
  // Handling a failure here keeps it from counting as unhandled before somebody awaits it.
  const onSettled = () => {
    slot.done = true;
    gauges.running--;
    gauges.ready++;
  };
  result.then(onSettled, onSettled);
  return slot;
}
