// malsd_batch and maes_batch against enumeration of all alignments, with beams wide enough to lose nothing.
import { describe, expect, it } from 'vitest';
import { batchedAdaptiveExpansionSearch } from '../../../src/asr/decoding/beam/batched-adaptive-expansion.js';
import { modifiedAlignmentLengthSearch } from '../../../src/asr/decoding/beam/modified-alignment-length.js';
import type { BeamHypothesis } from '../../../src/asr/decoding/beam/search.js';
import { logSum, plausible, run, type Toy, toy, vocabulary } from './toy.js';

/** Sums over all alignments of tokens 0 and 1, by sequence and, for TDT, frame at the end. */
function sums(model: Toy, longest: number, durations?: readonly number[]): Record<string, number> {
  const all = new Map<string, number[]>();
  const walk = (tokens: number[], at: number, score: number): void => {
    if (at >= model.frames) {
      const key = durations ? `${tokens.join(',')} at ${at}` : tokens.join(',');
      all.set(key, [...(all.get(key) ?? []), score]);
      return;
    }
    const scores = model.scores(tokens, at);
    (scores.durations ?? Float32Array.of(0)).forEach((length, k) => {
      walk(tokens, at + (durations?.[k] || 1), score + scores.tokens[vocabulary] + length);
      if (tokens.length === longest) return;
      for (const token of [0, 1]) {
        walk([...tokens, token], at + (durations?.[k] ?? 0), score + scores.tokens[token] + length);
      }
    });
  };
  walk([], 0, 0);
  const entries = [...all].map(([key, scores]) => [key, logSum(scores)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b)));
}

function byEnd(found: readonly BeamHypothesis[], longest: number): Record<string, number> {
  const scores = found
    .filter(({ prefix }) => prefix.length <= longest && prefix.tokens().every((token) => token < 2))
    .map((one) => [`${one.prefix.tokens().join(',')} at ${one.at}`, one.score] as const);
  return Object.fromEntries(scores.sort(([a], [b]) => a.localeCompare(b)));
}

function expectClose(found: Record<string, number>, expected: Record<string, number>): void {
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [key, score] of Object.entries(expected)) expect(found[key]).toBeCloseTo(score, 4);
}

describe.each([1, 2, 3])('model %i', (seed) => {
  it('malsd_batch: sums over all alignments', () => {
    const model = toy(seed, 3, 3);
    const options = { beamSize: 60, vocabulary, maxSymbols: null };
    const found = run(model, (root) => modifiedAlignmentLengthSearch(root, 3, options));
    expectClose(plausible(found), sums(model, 3));
  });

  it('malsd_batch of TDT: durations are numbers of frames', () => {
    const durations = [0, 2, 3];
    const model = toy(seed, 4, 1, durations.length);
    const options = { beamSize: 80, vocabulary, maxSymbols: null, durations };
    const found = run(model, (root) => modifiedAlignmentLengthSearch(root, 4, options));
    expectClose(byEnd(found, 1), sums(model, 1, durations));
    for (const { prefix, durations: lasted = [] } of found) expect(lasted.length).toBe(prefix.length);
  });

  it('malsd_batch: no more tokens at a frame than max_symbols', () => {
    const model = toy(seed, 3, 3);
    const crowded = (maxSymbols: number | null): boolean => {
      const options = { beamSize: 60, vocabulary, maxSymbols };
      const found = run(model, (root) => modifiedAlignmentLengthSearch(root, 3, options));
      return found.some(({ frames }) => new Set(frames).size < frames.length);
    };
    expect([crowded(null), crowded(1)]).toEqual([true, false]);
  });

  it('maes_batch: sums over all alignments of one token', () => {
    const model = toy(seed, 3, 1);
    const options = { beamSize: 30, vocabulary, steps: 2, gamma: 30, beta: 0 };
    const found = run(model, (root) => batchedAdaptiveExpansionSearch(root, 3, options));
    expectClose(plausible(found, 1), sums(model, 1));
  });
});

it('an utterance without frames has the empty hypothesis', () => {
  const model = toy(1, 0, 3);
  const options = { beamSize: 4, vocabulary, maxSymbols: 10, steps: 2, gamma: 2.3, beta: 2 };
  for (const search of [modifiedAlignmentLengthSearch, batchedAdaptiveExpansionSearch]) {
    const found = run(model, (root) => search(root, 0, options));
    expect(found.map(({ prefix, score }) => [prefix.length, score])).toEqual([[0, 0]]);
  }
});
