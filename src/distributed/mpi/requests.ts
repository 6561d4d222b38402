// Waiting for what MPI does meanwhile. The library moves forward while it is called, so whoever waits or starts something asks
// after everything that is under way.
import { availableParallelism } from 'node:os';
import { placeOf } from '../place.js';
import type { Mpi } from './library.js';

/** Looks without a pause: some milliseconds. */
const LOOKS = 5000;
const PAUSE_MS = 0.1;

/** Something under way; its memory is kept until it has ended. */
export class Request {
  private ended = false;
  private kept: unknown;

  /** @param start writes the request's handle into memory */
  constructor(
    private readonly mpi: Mpi,
    private readonly underWay: Set<Request>,
    kept: unknown,
    start: (request: Uint8Array) => void,
  ) {
    this.kept = kept;
    start(this.handle);
    underWay.add(this);
  }

  private readonly handle = new Uint8Array(8);
  private readonly flag = new Int32Array(1);

  test(): boolean {
    if (this.ended) return true;
    this.mpi.call('Test', this.handle, this.flag, this.mpi.ignoreStatus);
    if (this.flag[0] === 0) return false;
    this.ended = true;
    this.kept = undefined;
    this.underWay.delete(this);
    return true;
  }

  /** Whether its memory is still in use. */
  get isUnderWay(): boolean {
    return this.kept !== undefined;
  }
}

export class Waits {
  readonly underWay = new Set<Request>();
  private readonly nap = new Int32Array(new SharedArrayBuffer(4));
  private readonly looks = placeOf().localSize <= availableParallelism() ? LOOKS : 50;

  constructor(private readonly timeoutSeconds: number) {}

  /** Asks after everything that is under way. */
  progress(): void {
    for (const request of this.underWay) request.test();
  }

  /**
   * Returns when `ready` does.
   * @param late called when the time is over; it throws
   */
  until(ready: () => boolean, late: (seconds: number) => never): void {
    for (let look = 0; look < this.looks; look++) if (ready()) return;
    const started = performance.now();
    while (!ready()) {
      this.progress();
      if (performance.now() - started > 1000 * this.timeoutSeconds) late(this.timeoutSeconds);
      Atomics.wait(this.nap, 0, 0, PAUSE_MS);
    }
  }

  pause(ms: number): void {
    Atomics.wait(this.nap, 0, 0, ms);
  }
}
