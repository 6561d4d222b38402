// From the confidences of single choices to those of tokens and words, as NeMo counts them.
import type { ConfidenceOptions } from '../shared-config.js';

export type Aggregation = ConfidenceOptions['aggregation'];

export function aggregate(values: readonly number[], how: Aggregation): number {
  switch (how) {
    case 'mean':
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'prod':
      return values.reduce((product, value) => product * value, 1);
  }
}

/** One choice of a greedy search. */
export interface Choice {
  readonly frame: number;
  readonly isBlank: boolean;
  readonly confidence: number;
}

/** The confidences of each frame, [frames][choices at it]. Frames that were skipped have none. */
export function byFrame(choices: readonly Choice[], frames: number): number[][] {
  const result = Array.from({ length: frames }, (): number[] => []);
  for (const { frame, confidence } of choices) result[frame].push(confidence);
  return result;
}

/**
 * Confidence of each token of a transducer. Unless blanks are excluded, those after a token count as part of it:
 * in RNN-T the first choice of every frame between it and the next token, in TDT every blank.
 */
export function transducerTokenConfidence(
  choices: readonly Choice[],
  frames: number,
  options: Pick<ConfidenceOptions, 'aggregation' | 'excludeBlank'>,
  kind: 'rnnt' | 'multiblank' | 'tdt',
): number[] {
  const tokens = choices.filter((choice) => !choice.isBlank);
  if (options.excludeBlank) return tokens.map((choice) => choice.confidence);
  const combine = (values: number[]): number => aggregate(values, options.aggregation);
  if (kind === 'tdt') {
    const parts: number[][] = [];
    for (const { isBlank, confidence } of choices) {
      if (!isBlank) parts.push([confidence]);
      else if (parts.length > 0) parts[parts.length - 1].push(confidence);
    }
    return parts.map(combine);
  }
  const perFrame = byFrame(choices, frames);
  return tokens.map(({ frame, confidence }, i) => {
    const end = i + 1 < tokens.length ? tokens[i + 1].frame : frames;
    const between = perFrame.slice(frame + 1, Math.max(end, frame + 1)).flatMap((list) => list.slice(0, 1));
    return end === frame ? confidence : combine([confidence, ...between]);
  });
}

/**
 * Confidence of each token of a CTC best path: over its repetitions, or with blanks over all frames up to the
 * next token.
 */
export function ctcTokenConfidence(
  best: ArrayLike<number>,
  frameConfidence: readonly number[],
  blank: number,
  options: Pick<ConfidenceOptions, 'aggregation' | 'excludeBlank'>,
): number[] {
  const parts: number[][] = [];
  let previousToken = blank;
  frameConfidence.forEach((confidence, t) => {
    const token = best[t];
    if (token !== blank && token !== previousToken) parts.push([confidence]);
    else if (parts.length > 0 && (token !== blank || !options.excludeBlank)) {
      parts[parts.length - 1].push(confidence);
    }
    previousToken = token;
  });
  return parts.map((values) => aggregate(values, options.aggregation));
}
