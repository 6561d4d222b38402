// The public interface of metric loggers.

export interface MetricsLogger {
  /**
   * Called once before anything is logged. Rows after `step` belong to a run that was cut off and is being
   * resumed from there; they are dropped where the format allows.
   */
  start(step: number): Promise<void>;
  log(step: number, metrics: Readonly<Record<string, number>>): Promise<void>;
  /** Longer text, such as decoded samples. */
  text(step: number, tag: string, text: string): Promise<void>;
  close(): Promise<void>;
}
