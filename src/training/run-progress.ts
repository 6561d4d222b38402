// The counters of a run.
/** How far a run has come: all a checkpoint needs to go on at the same batch with the same randomness. */
export interface RunProgress {
  /** Epochs completed. */
  epoch: number;
  /** Batches consumed in the epoch in progress. */
  batch: number;
  /** Batches consumed in the whole run: the counter of the dropout streams. */
  batches: number;
  /** Optimizer steps taken or skipped: the `s` of the schedules. */
  step: number;
  /** Optimizer steps that changed the weights: the `t` of bias corrections. */
  updates: number;
  /** A validation is due before the next step. */
  validationPending: boolean;
  /** Seconds spent in fit, over all resumed runs. */
  seconds: number;
  /** Examples consumed. */
  examples: number;
  /** Units consumed: seconds of audio, or tokens to predict. */
  units: number;
  /** Batches that changed nothing, because their loss weighs 0. */
  emptyBatches: number;
}

export function freshProgress(): RunProgress {
  return {
    epoch: 0,
    batch: 0,
    batches: 0,
    step: 0,
    updates: 0,
    validationPending: false,
    seconds: 0,
    examples: 0,
    units: 0,
    emptyBatches: 0,
  };
}
