// What an epoch will cost before it is run: shapes (compilations), padding, the largest batch.
import type { BatchPlanner, PlannedSet } from './planner.js';

/** Batches of one shape; each shape costs one compilation. */
export interface BatchShape {
  readonly size: number;
  readonly frames: number;
  readonly tokens: number;
  /** Batches of this shape in the epoch. */
  readonly count: number;
}

/** What an epoch costs: utterances, shapes, padding, memory. */
export interface EpochEstimate {
  readonly utterances: number;
  readonly batches: number;
  /** Distinct shapes, most frequent first. */
  readonly shapes: readonly BatchShape[];
  /** Share of frames that are padding, 0 to 1. */
  readonly framePadding: number;
  /** Share of token places that are padding, 0 to 1. */
  readonly tokenPadding: number;
  /** Seconds of the longest utterance. */
  readonly longestUtterance: number;
  /** The shape with the most frames times tokens: what memory must hold. */
  readonly largest: BatchShape | undefined;
  /** Padded seconds of `largest`. */
  readonly largestSeconds: number;
}

/**
 * Plans an epoch and sums it up; no audio is read.
 * @param epoch counted from 0
 */
export function estimateEpoch(planner: BatchPlanner, set: PlannedSet, epoch = 0): EpochEstimate {
  const plan = planner.plan(epoch);
  const shapes = new Map<string, { size: number; frames: number; tokens: number; count: number }>();
  const sums = { frames: 0, padded: 0, tokens: 0, paddedTokens: 0, utterances: 0, longest: 0 };
  for (const { indices, frames, tokens } of plan) {
    const size = indices.length;
    const key = `${size}x${frames}x${tokens}`;
    const shape = shapes.get(key) ?? { size, frames, tokens, count: 0 };
    shape.count++;
    shapes.set(key, shape);
    for (const i of indices) {
      const stretch = set.stretch ? set.stretch(epoch, i) : 1;
      sums.frames += set.frames(set.seconds[i] * stretch);
      sums.tokens += set.tokens[i];
      sums.longest = Math.max(sums.longest, set.seconds[i] * stretch);
    }
    sums.utterances += size;
    sums.padded += size * frames;
    sums.paddedTokens += size * tokens;
  }
  const list = [...shapes.values()].sort((a, b) => b.count - a.count);
  const weight = (s: BatchShape) => s.size * s.frames * (s.tokens + 1);
  const largest = list.reduce<BatchShape | undefined>(
    (best, s) => (best === undefined || weight(s) > weight(best) ? s : best),
    undefined,
  );
  return {
    utterances: sums.utterances,
    batches: plan.length,
    shapes: list,
    framePadding: sums.padded === 0 ? 0 : 1 - sums.frames / sums.padded,
    tokenPadding: sums.paddedTokens === 0 ? 0 : 1 - sums.tokens / sums.paddedTokens,
    longestUtterance: sums.longest,
    largest,
    largestSeconds: largest ? largest.size * largest.frames * set.frameSeconds : 0,
  };
}

/** One line for the log. */
export function describeEstimate(e: EpochEstimate): string {
  const largest = e.largest
    ? `, largest batch ${e.largest.size} × ${e.largest.frames} frames × ${e.largest.tokens} tokens (${e.largestSeconds.toFixed(1)} s)`
    : '';
  const padding = (100 * e.framePadding).toFixed(1);
  return `${e.utterances} utterances in ${e.batches} batches of ${e.shapes.length} shapes, ${padding}% padding${largest}`;
}
