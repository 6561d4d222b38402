// The type of what searches give.
/** What decoding finds in one utterance. NeMo's Hypothesis. */
export interface Hypothesis {
  readonly tokens: number[];
  /** Encoder frame at which each token was emitted. */
  readonly frames: number[];
  /** Sum of the log-probabilities of the choices made; a beam search sums over merged paths and adds its LM. */
  readonly score: number;
  /** Frames that each token lasts, where the model says so (TDT). */
  readonly durations?: readonly number[];
  /** Confidence of every choice, [frames][choices at the frame], when asked for. */
  readonly frameConfidence?: readonly (readonly number[])[];
  /** Confidence of each token, when asked for. */
  readonly tokenConfidence?: readonly number[];
  /** All hypotheses that a beam search kept, best first, when asked for; the first is this one. */
  readonly alternatives?: readonly Hypothesis[];
}
