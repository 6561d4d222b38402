// Where the samples of a language model come from: a row of tokens in memory, or sets on disk.

/** Samples by their number in the run. */
export interface SampleSet {
  /** Samples of an epoch. */
  readonly count: number;
  /**
   * Tokens of a sample, one more than it has targets; fewer where the text ends.
   * @param index counted from the start of the run, on through all epochs
   */
  at(index: number): Int32Array;
  /** What a sample is called in messages. */
  nameOf(index: number): string;
  /** Bytes of text that targets stand for. */
  bytesOf(targets: Int32Array): number;
  /** Another text has another one. */
  digest(): string;
  /** Gives back files. */
  close(): void;
}
