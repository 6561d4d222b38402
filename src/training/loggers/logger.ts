// The public interface of metric loggers.

/** What had been logged at the step in progress when a checkpoint was saved. */
export interface LoggedAtStep {
  /** Calls of `log`. */
  readonly rows: number;
  /** Metrics of those calls, counted one by one. */
  readonly values: number;
  /** Calls of `text`. */
  readonly texts: number;
}

/**
 * The public interface of metric loggers. Rows come in the order of their steps; each call is awaited before the
 * next.
 */
export interface MetricsLogger {
  /**
   * Called once before anything is logged. Rows after `step` belong to a run that was cut off and is being
   * resumed from there, and so do those of `step` beyond `logged`: they are dropped where the format allows.
   * @param logged undefined when the checkpoint does not say: all rows of `step` are kept
   */
  start(step: number, logged?: LoggedAtStep): Promise<void>;
  /** One row: metrics by name, such as `train/loss`. A step may have several rows. */
  log(step: number, metrics: Readonly<Record<string, number>>): Promise<void>;
  /** Longer text, such as decoded samples. */
  text(step: number, tag: string, text: string): Promise<void>;
  /** Nothing is logged afterwards; files are complete when it resolves. */
  close(): Promise<void>;
}

/** A row of metrics, or a text. */
export type LogEntry =
  | { readonly metrics: Readonly<Record<string, number>> }
  | { readonly tag: string; readonly text: string };

export function writeEntry(logger: MetricsLogger, step: number, entry: LogEntry): Promise<void> {
  return 'text' in entry ? logger.text(step, entry.tag, entry.text) : logger.log(step, entry.metrics);
}

/** The rows that a resumed run keeps, see `MetricsLogger.start`. */
export function rowsUntil<Row>(
  rows: readonly Row[],
  stepOf: (row: Row) => number,
  step: number,
  logged: LoggedAtStep | undefined,
): Row[] {
  let left = logged?.rows ?? Number.POSITIVE_INFINITY;
  return rows.filter((row) => stepOf(row) < step || (stepOf(row) === step && left-- > 0));
}
