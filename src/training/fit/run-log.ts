// The loggers of a run: rows go to all of them, and what they could not take goes into the checkpoint.
import type { CheckpointState } from '../checkpoint/content.js';
import { type LogEntry, type LoggedAtStep, type MetricsLogger, writeEntry } from '../loggers/logger.js';
import type { RunProgress } from '../run-progress.js';
import type { FirstFailure } from './first-failure.js';

type Counts = { -readonly [K in keyof LoggedAtStep]: number };

export class RunLog {
  /** What the loggers got at this step; unknown after a checkpoint that does not say. */
  private logged: Counts | undefined;
  /** What a logger could not take at this step. The run ends then; its next start writes them. */
  private readonly unlogged: LogEntry[];

  /** @param before of the checkpoint that the run goes on from */
  constructor(
    private readonly loggers: readonly MetricsLogger[],
    private readonly progress: Readonly<RunProgress>,
    private readonly failures: FirstFailure,
    before: Pick<CheckpointState, 'logged' | 'unlogged'> | undefined,
  ) {
    this.logged = before ? before.logged && { ...before.logged } : nothing();
    this.unlogged = [...(before?.unlogged ?? [])];
  }

  /** Opens the loggers where the run starts or goes on. */
  async start(): Promise<void> {
    for (const logger of this.loggers) await logger.start(this.progress.step, this.logged);
    for (const entry of this.unlogged.splice(0)) await this.write(entry);
    this.failures.throw();
  }

  /** Hands an entry to the loggers, or keeps it once one of them has failed. */
  async write(entry: LogEntry): Promise<void> {
    const { step } = this.progress;
    if (this.unlogged.length > 0) {
      this.unlogged.push(entry);
      return;
    }
    await this.failures.attempt(async () => {
      this.unlogged.push(entry);
      for (const logger of this.loggers) await writeEntry(logger, step, entry);
      this.unlogged.pop();
      this.count(entry);
    });
  }

  /** Entries from now on are of another step. */
  nextStep(): void {
    this.logged = nothing();
  }

  /** What a checkpoint keeps. */
  state(): Pick<CheckpointState, 'logged' | 'unlogged'> {
    return {
      ...(this.logged && { logged: { ...this.logged } }),
      ...(this.unlogged.length > 0 && { unlogged: [...this.unlogged] }),
    };
  }

  private count(entry: LogEntry): void {
    if (!this.logged) return;
    if ('text' in entry) {
      this.logged.texts++;
      return;
    }
    this.logged.rows++;
    this.logged.values += Object.keys(entry.metrics).length;
  }
}

const nothing = (): Counts => ({ rows: 0, values: 0, texts: 0 });
