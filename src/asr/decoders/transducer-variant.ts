// Kinds of transducers.
/**
 * What the outputs of a transducer's joint mean: plain RNN-T, RNN-T with big blanks (Xu et al. 2022,
 * arXiv:2211.03541), or tokens and durations (TDT, Xu et al. 2023, arXiv:2304.06795).
 */
export type TransducerVariant =
  | { readonly kind: 'rnnt' }
  /** Blanks that skip `durations[i]` frames; their outputs come before blank, counted down from it. */
  | { readonly kind: 'multiblank'; readonly durations: readonly number[] }
  /** Each token and blank comes with a duration; the outputs of durations come last. */
  | { readonly kind: 'tdt'; readonly durations: readonly number[] };

/** Plain RNN-T: one frame a blank, tokens and blank alone. */
export const plainRnnt: TransducerVariant = { kind: 'rnnt' };

/** The outputs of a joint with `vocabulary` tokens. */
export interface OutputLayout {
  /** Tokens are 0 to vocabulary-1. */
  readonly vocabulary: number;
  /** Index of the blank that skips one frame. */
  readonly blank: number;
  /** Outputs with tokens and blanks, normalised together. */
  readonly tokens: number;
  /** Outputs with durations, after them. */
  readonly durations: number;
}

/**
 * Where tokens, blanks and durations stand among the outputs of a joint.
 * @param vocabulary number of tokens V
 */
export function outputLayout(variant: TransducerVariant, vocabulary: number): OutputLayout {
  const bigBlanks = variant.kind === 'multiblank' ? variant.durations.length : 0;
  return {
    vocabulary,
    blank: vocabulary + bigBlanks,
    tokens: vocabulary + bigBlanks + 1,
    durations: variant.kind === 'tdt' ? variant.durations.length : 0,
  };
}

/** Outputs beside tokens and blank: NeMo's `num_extra_outputs`. */
export function extraOutputs(variant: TransducerVariant): number {
  return variant.kind === 'rnnt' ? 0 : variant.durations.length;
}

/** Frames that each output from blank downwards skips: 1 for blank, then the big blanks. */
export function blankDurations(variant: TransducerVariant): readonly number[] {
  return variant.kind === 'multiblank' ? [1, ...variant.durations] : [1];
}
