// What decoding finds in one utterance.
export interface Hypothesis {
  readonly tokens: number[];
  /** Encoder frame at which each token was emitted. */
  readonly frames: number[];
  /** Sum of the log-probabilities of the choices made. */
  readonly score: number;
}
