// How a rank waits for others of its machine: it looks again and again, at first without a pause, and while it waits notices
// that the job has ended or that somebody does not come.
import { availableParallelism } from 'node:os';
import type { AnemoneError } from '../../errors/index.js';
import { ENDED_ELSEWHERE, EndedElsewhere } from '../ended-elsewhere.js';

export interface WaitingOptions {
  /** Ranks of this machine: where they are more than cores, a pause lets the others run. */
  readonly ranks: number;
  readonly timeoutSeconds: number;
  /** 0 while the job goes on; else its exit code plus one. */
  readonly ended: () => number;
}

/** Looks without a pause: about 50 µs. */
const LOOKS = 2000;
const SHORTEST_PAUSE_MS = 0.05;
const LONGEST_PAUSE_MS = 1;

export class Waiting {
  private readonly looks: number;
  private readonly nap = new Int32Array(new SharedArrayBuffer(4));
  private readonly parent = process.ppid;
  /** The time-out is no shorter than this now. */
  private leastSeconds = 0;

  constructor(private readonly options: WaitingOptions) {
    this.looks = options.ranks <= availableParallelism() ? LOOKS : 20;
  }

  /** Runs `fn`, which waits for `leastSeconds` at least before it gives up. */
  during(leastSeconds: number, fn: () => void): void {
    this.leastSeconds = leastSeconds;
    try {
      fn();
    } finally {
      this.leastSeconds = 0;
    }
  }

  /**
   * Returns when `ready` does.
   * @param late what to say when the time is over
   * @throws AnemoneError `distributed.ended`, `distributed.timeout`
   */
  until(ready: () => boolean, late: (seconds: number) => AnemoneError): void {
    for (let look = 0; look < this.looks; look++) if (ready()) return;
    const { ended } = this.options;
    const timeoutSeconds = Math.max(this.options.timeoutSeconds, this.leastSeconds);
    const started = performance.now();
    let pause = SHORTEST_PAUSE_MS;
    while (!ready()) {
      // Nobody is left who could say why.
      if (ended() !== 0 || process.ppid !== this.parent) throw new EndedElsewhere(ENDED_ELSEWHERE);
      if (performance.now() - started > 1000 * timeoutSeconds) throw late(timeoutSeconds);
      Atomics.wait(this.nap, 0, 0, pause);
      pause = Math.min(LONGEST_PAUSE_MS, 1.5 * pause);
    }
  }
}
