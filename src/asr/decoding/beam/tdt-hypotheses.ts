// Hypotheses of TDT searches: they are at frames of their own, and come together again where the same tokens
// reached the same frame over other blanks.
import type { Prefix } from './prefix.js';
import { type BeamHypothesis, byScore, logAdd } from './search.js';

export interface TdtHypothesis extends BeamHypothesis {
  readonly durations: readonly number[];
  at: number;
}

export function tdtStart(root: Prefix): TdtHypothesis {
  return { score: 0, prefix: root, frames: [], durations: [], at: 0 };
}

/** Moved on by a blank. */
export function withBlank(
  hypothesis: TdtHypothesis,
  logProbability: number,
  duration: number,
): TdtHypothesis {
  return { ...hypothesis, score: hypothesis.score + logProbability, at: hypothesis.at + duration };
}

export function withToken(
  hypothesis: TdtHypothesis,
  token: number,
  logProbability: number,
  duration: number,
): TdtHypothesis {
  return {
    score: hypothesis.score + logProbability,
    prefix: hypothesis.prefix.child(token),
    frames: [...hypothesis.frames, hypothesis.at],
    durations: [...hypothesis.durations, duration],
    at: hypothesis.at + duration,
  };
}

/** Those with the same tokens at the same frame become one with the sum of their probabilities; best first. */
export function mergeDuplicates<H extends TdtHypothesis>(hypotheses: readonly H[]): H[] {
  const mergedBeam = new Map<Prefix, Map<number, H>>();
  const result: H[] = [];
  for (const hypothesis of [...hypotheses].sort(byScore)) {
    let byFrame = mergedBeam.get(hypothesis.prefix);
    if (!byFrame) {
      byFrame = new Map();
      mergedBeam.set(hypothesis.prefix, byFrame);
    }
    const samePlace = byFrame.get(hypothesis.at);
    if (samePlace) samePlace.score = logAdd(samePlace.score, hypothesis.score);
    else {
      byFrame.set(hypothesis.at, hypothesis);
      result.push(hypothesis);
    }
  }
  return result;
}

export interface DurationTable {
  readonly durations: readonly number[];
  /** Index of duration 0, -1 if there is none. */
  readonly zero: number;
  /** Index of the shortest that moves on. */
  readonly shortest: number;
}

export function durationTable(durations: readonly number[]): DurationTable {
  const positive = durations.map((d) => (d === 0 ? Number.POSITIVE_INFINITY : d));
  return { durations, zero: durations.indexOf(0), shortest: positive.indexOf(Math.min(...positive)) };
}
