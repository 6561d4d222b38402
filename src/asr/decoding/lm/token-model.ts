// What a search is helped by: a model that scores the next token given a state. An n-gram language model is one
// (../lm/token-ngram.ts), a tree of phrases to boost another (boosting-tree.ts). Searches see them only through
// token-fusion.ts, which adds several up.

/** States are values: asking from one again gives the same. */
export interface TokenModel<S = unknown> {
  /** Before the first token. */
  start(): S;
  /** What the token adds, a natural logarithm, and the state after it. */
  next(state: S, token: number): { readonly score: number; readonly state: S };
  /** What ending there adds. */
  end(state: S): number;
}

/** A model and the factor of its scores. */
export interface WeightedModel {
  readonly model: TokenModel;
  readonly weight: number;
}
