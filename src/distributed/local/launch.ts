// Starts the ranks of a job on this machine and watches them: processes that run the same program again. One that fails ends
// the others within seconds, and what it said is said once. Processes and not threads: a rank that crashes, is killed or
// hangs in native code takes nobody with it, and each has thread pools of its own. The process that was started by the user
// computes nothing: it is free to hear of signals and of the end of a rank at any time.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { AnemoneError, readableLines } from '../../errors/index.js';
import { ENDED_ELSEWHERE } from '../ended-elsewhere.js';
import { VARIABLES } from '../place.js';
import { stateOf } from '../processes.js';
import { createSegment, markEnded, removeSegment } from './segment.js';

export interface LaunchOptions {
  readonly ranks: number;
  /** The program and what it is given; default: those of this process. */
  readonly command?: readonly string[];
  /** After which ranks that do not end by themselves are killed, in milliseconds. Default 3000. */
  readonly graceMs?: number;
}

/** Rank 0 may fail of the same cause a moment later, and says so itself. */
const SAME_CAUSE_MS = 500;
/** Of what a rank printed, this much is kept. */
const KEPT_BYTES = 16384;
/** A rank that is stopped for this many looks in a row, one a second, is taken for hung. */
const STOPPED_LOOKS = 3;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Ended {
  readonly rank: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Runs the program once for each rank, with the same arguments and the terminal for rank 0.
 * @returns the exit code of the job: that of the rank that failed first, or 0
 * @throws AnemoneError `distributed.rank-lost` where a rank was killed, `distributed.rank-failed` with what another rank
 *   than 0 said last, `distributed.shared-memory`
 */
export async function launchLocalRanks({ ranks, command, graceMs = 3000 }: LaunchOptions): Promise<number> {
  const segment = createSegment(ranks);
  const segmentFile = openSync(segment, 'r+');
  const [program, ...args] = command ?? [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const children = Array.from(
    { length: ranks },
    (_, rank) => new RankProcess(rank, ranks, segment, program, args),
  );
  const kill = () => {
    for (const child of children) child.signal('SIGKILL');
  };
  const forward = (signal: NodeJS.Signals) => {
    for (const child of children) child.signal(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  process.on('exit', kill);
  const stopped = watchForStopped(children);
  try {
    const first = await Promise.race([firstFailure(children), stopped.found]);
    if (!first) return 0;
    markEnded(segmentFile, exitCodeOf(first));
    // Those that wait for it stop and save; what does not is killed.
    const deadline = setTimeout(kill, graceMs);
    await Promise.race([children[0].end, delay(SAME_CAUSE_MS)]);
    if ('stopped' in first) children[first.rank].signal('SIGKILL');
    const all = await Promise.all(children.map((child) => child.end));
    clearTimeout(deadline);
    return told(first, all[0], children);
  } finally {
    stopped.end();
    kill();
    for (const signal of SIGNALS) process.removeListener(signal, forward);
    process.removeListener('exit', kill);
    closeSync(segmentFile);
    removeSegment(segment);
  }
}

type Failure = Ended & { readonly stopped?: true };

/** The exit code of a job, or the error that tells why it ended; what rank 0 says itself is not said again. */
function told(first: Failure, rank0: Ended, children: readonly RankProcess[]): number {
  if (first.signal !== null || first.stopped) throw lost(first, children[first.rank]);
  const code = first.code as number;
  if (first.rank === 0 || (rank0.code !== ENDED_ELSEWHERE && rank0.code !== 0 && rank0.code !== null))
    return code;
  const text = children[first.rank].lastWords();
  throw new RankFailed(first.rank, code, text);
}

/** What a rank other than 0 said before it ended; it comes with that rank's exit code. */
class RankFailed extends AnemoneError {
  override readonly exitCode: number;

  constructor(rank: number, code: number, text: string) {
    const [first, ...others] = text.replace(/^error: /, '').split('\n');
    super({
      code: 'distributed.rank-failed',
      message: `rank ${rank}: ${first || `ended with exit code ${code}`}`,
      lines: others,
    });
    this.exitCode = code;
  }
}

function lost({ rank, signal, stopped }: Failure, child: RankProcess): AnemoneError {
  const what = stopped
    ? `hangs: its process ${child.pid} is stopped`
    : `was killed by ${signal}${signal === 'SIGKILL' ? ' (the system kills so when memory is short)' : ''}`;
  const words = child.lastWords();
  return new AnemoneError({
    code: 'distributed.rank-lost',
    message: `rank ${rank} ${what}; all ranks were ended`,
    lines: words === '' || rank === 0 ? [] : words.split('\n').map((line) => `  ${line}`),
    hint: 'start again to go on from the last checkpoint (exp_manager.resume_if_exists=true)',
    details: { rank, signal },
  });
}

function exitCodeOf({ code }: Failure): number {
  return code ?? 2;
}

/** A rank that has not ended as it should; undefined when all have. */
async function firstFailure(children: readonly RankProcess[]): Promise<Failure | undefined> {
  const failures: Ended[] = [];
  let tell: (failure: Ended) => void = () => {};
  const failed = new Promise<Ended>((resolve) => {
    tell = resolve;
  });
  const all = Promise.all(
    children.map(async (child) => {
      const ended = await child.end;
      // A rank that stopped for another's sake is not the one to name; that one ends too.
      if (ended.code === 0 || ended.code === ENDED_ELSEWHERE) return;
      failures.push(ended);
      tell(ended);
    }),
  ).then(async () => {
    const ends = await Promise.all(children.map((child) => child.end));
    return failures[0] ?? ends.find(({ code }) => code !== 0);
  });
  return Promise.race([failed, all]);
}

/** One process. */
class RankProcess {
  readonly end: Promise<Ended>;
  private readonly process: ChildProcess;
  private readonly said: Buffer[] = [];
  private saidBytes = 0;

  constructor(
    readonly rank: number,
    ranks: number,
    segment: string,
    program: string,
    args: readonly string[],
  ) {
    const isFirst = rank === 0;
    this.process = spawn(program, args, {
      env: {
        ...process.env,
        [VARIABLES.rank]: String(rank),
        [VARIABLES.size]: String(ranks),
        [VARIABLES.segment]: segment,
      },
      stdio: isFirst ? 'inherit' : ['ignore', 'ignore', 'pipe'],
      // In a group of its own: the terminal's Ctrl-C comes to it through this process, once.
      detached: true,
      windowsHide: true,
    });
    this.process.stderr?.on('data', (bytes: Buffer) => this.keep(bytes));
    this.end = new Promise((resolve) => {
      this.process.once('error', () => resolve({ rank, code: 1, signal: null }));
      // `close`: what it said has arrived by then.
      this.process.once('close', (code, signal) => resolve({ rank, code, signal }));
    });
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) this.process.kill(signal);
  }

  /** What it printed last, without a line end. */
  lastWords(): string {
    const text = readableLines(Buffer.concat(this.said).toString('utf8')).trimEnd();
    const start = Math.max(text.lastIndexOf('\nerror: '), text.lastIndexOf('\nunexpected error'));
    return text.slice(start + 1);
  }

  private keep(bytes: Buffer): void {
    this.said.push(bytes);
    this.saidBytes += bytes.length;
    while (this.saidBytes > KEPT_BYTES && this.said.length > 1) {
      this.saidBytes -= (this.said.shift() as Buffer).length;
    }
  }
}

/** Finds a rank that is stopped (SIGSTOP) while this process is not: all stand still where a shell stops the job. */
function watchForStopped(children: readonly RankProcess[]): { found: Promise<Failure>; end(): void } {
  const looks = children.map(() => 0);
  let timer: NodeJS.Timeout | undefined;
  const found = new Promise<Failure>((resolve) => {
    if (process.platform !== 'linux') return;
    timer = setInterval(() => {
      for (const child of children) {
        const isStopped = !child.hasEnded && child.pid !== undefined && stateOf(child.pid) === 'T';
        looks[child.rank] = isStopped ? looks[child.rank] + 1 : 0;
        if (looks[child.rank] >= STOPPED_LOOKS)
          resolve({ rank: child.rank, code: null, signal: null, stopped: true });
      }
    }, 1000);
    timer.unref();
  });
  return { found, end: () => clearInterval(timer) };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
