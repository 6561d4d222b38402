// The transducer searches against enumeration of all alignments, with beams wide enough to lose nothing.
import { describe, expect, it } from 'vitest';
import { adaptiveExpansionSearch } from '../../../src/asr/decoding/beam/adaptive-expansion.js';
import { alignmentLengthSearch } from '../../../src/asr/decoding/beam/alignment-length-synchronous.js';
import { defaultSearch } from '../../../src/asr/decoding/beam/default-search.js';
import { Prefix } from '../../../src/asr/decoding/beam/prefix.js';
import { type BeamHypothesis, sortNBest, topK } from '../../../src/asr/decoding/beam/search.js';
import { tdtAdaptiveExpansionSearch } from '../../../src/asr/decoding/beam/tdt-adaptive-expansion.js';
import { mergeDuplicates } from '../../../src/asr/decoding/beam/tdt-hypotheses.js';
import { tdtSearch } from '../../../src/asr/decoding/beam/tdt-search.js';
import { timeSynchronousSearch } from '../../../src/asr/decoding/beam/time-synchronous.js';
import { BoostingTree } from '../../../src/asr/decoding/fusion/boosting-tree.js';
import { TokenFusion } from '../../../src/asr/decoding/fusion/token-fusion.js';
import { logSum, plausible, run, type Toy, toy, vocabulary } from './toy.js';

/** Scores of all alignments of plausible tokens, by sequence; at most `most` tokens a frame. */
function alignments(toy: Toy, longest: number, most: number): Map<string, number[]> {
  const all = new Map<string, number[]>();
  const walk = (tokens: number[], frame: number, here: number, score: number): void => {
    if (frame === toy.frames) {
      const key = tokens.join(',');
      all.set(key, [...(all.get(key) ?? []), score]);
      return;
    }
    const { tokens: scores } = toy.scores(tokens, frame);
    walk(tokens, frame + 1, 0, score + scores[vocabulary]);
    if (tokens.length === longest || here === most) return;
    for (const token of [0, 1]) walk([...tokens, token], frame, here + 1, score + scores[token]);
  };
  walk([], 0, 0, 0);
  return all;
}

function combined(all: Map<string, number[]>, how: (scores: number[]) => number): Record<string, number> {
  const entries = [...all].map(([key, scores]) => [key, how(scores)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b)));
}

function expectClose(found: Record<string, number>, expected: Record<string, number>): void {
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [key, score] of Object.entries(expected)) expect(found[key]).toBeCloseTo(score, 4);
}

describe.each([1, 2, 3])('searches of RNN-T, model %i', (seed) => {
  it('beam: the best alignment', () => {
    const model = toy(seed, 4, 3);
    const [best] = sortNBest(
      run(model, (root) => defaultSearch(root, 4, 40, vocabulary)),
      false,
    );
    const expected = combined(alignments(model, 3, 3), (scores) => Math.max(...scores));
    expect(best.score).toBeCloseTo(Math.max(...Object.values(expected)), 4);
    expect(expected[best.prefix.tokens().join(',')]).toBeCloseTo(best.score, 4);
  });

  it('tsd: sums over all alignments with fewer tokens a frame than rounds', () => {
    const model = toy(seed, 3, 3);
    const found = run(model, (root) => timeSynchronousSearch(root, 3, 40, vocabulary, 3));
    expectClose(plausible(found), combined(alignments(model, 3, 2), logSum));
  });

  it('alsd: sums over all alignments up to the longest target', () => {
    const model = toy(seed, 2, 3);
    const found = run(model, (root) => alignmentLengthSearch(root, 2, 40, vocabulary, { tokens: 3 }, false));
    expectClose(plausible(found), combined(alignments(model, 3, 3), logSum));
    const short = run(model, (root) =>
      alignmentLengthSearch(root, 2, 40, vocabulary, { perFrame: 0.5 }, false),
    );
    expectClose(plausible(short), combined(alignments(model, 1, 1), logSum));
  });

  it('maes: sums over all alignments with at most as many new tokens a frame as steps', () => {
    const model = toy(seed, 3, 2);
    const options = { beamSize: 40, vocabulary, steps: 3, prefixAlpha: 5, gamma: 30, beta: 1 };
    const found = run(model, (root) => adaptiveExpansionSearch(root, 3, options));
    expectClose(plausible(found), combined(alignments(model, 2, 2), logSum));
  });

  it('maes: adds what boosted phrases say of the tokens', () => {
    const model = toy(seed, 3, 2);
    const tree = new BoostingTree([{ tokens: [0, 1] }, { tokens: [1] }], { contextScore: 0.3 });
    const fusion = {
      tokens: new TokenFusion([{ model: tree, weight: 0.7 }], vocabulary),
      internalWeight: 0,
    };
    const options = { beamSize: 40, vocabulary, steps: 3, prefixAlpha: 5, gamma: 30, beta: 1, fusion };
    const found = run(model, (root) => adaptiveExpansionSearch(root, 3, options));
    const expected = combined(alignments(model, 2, 2), logSum);
    // 0.3 the first token of a phrase; 2 · 0.3 + ln 2 the second of [0, 1]; [0] alone is taken back by another 0.
    const bonus: Record<string, number> = {
      '': 0,
      '0': 0.3,
      '1': 0.3,
      '0,0': 0.3,
      '0,1': 0.9 + Math.LN2,
      '1,0': 0.6,
      '1,1': 0.6,
    };
    for (const key of Object.keys(expected)) expected[key] += 0.7 * bonus[key];
    expectClose(plausible(found), expected);
  });

  it('maes: with prefix alpha 0 it misses what goes through prefixes in the beam', () => {
    const model = toy(seed, 3, 2);
    const options = { beamSize: 40, vocabulary, steps: 3, gamma: 30, beta: 1 };
    const score = (prefixAlpha: number): number =>
      plausible(run(model, (root) => adaptiveExpansionSearch(root, 3, { ...options, prefixAlpha })))['0,1'];
    expect(score(0)).toBeLessThan(score(1));
    expect(score(1)).toBeLessThan(score(2));
    expect(score(2)).toBeCloseTo(score(5), 10);
  });
});

describe.each([1, 2, 3])('searches of TDT, model %i', (seed) => {
  const durations = [0, 1, 2];
  const model = toy(seed, 3, 2, 3);
  /**
   * Sum over all paths, by tokens and the frame at which they end. `stay`: a blank of duration 0 is one path more,
   * which takes the shortest step (NeMo's maes).
   */
  const sums = (stay: boolean): Record<string, number> => {
    const all = new Map<string, number[]>();
    const walk = (tokens: number[], at: number, score: number): void => {
      if (at >= model.frames) {
        const key = `${tokens.join(',')} at ${at}`;
        all.set(key, [...(all.get(key) ?? []), score]);
        return;
      }
      const scores = model.scores(tokens, at);
      const lengths = scores.durations as Float32Array;
      durations.forEach((duration, i) => {
        if (duration === 0 && stay) walk(tokens, at + 1, score + scores.tokens[vocabulary] + lengths[i]);
        if (duration > 0) walk(tokens, at + duration, score + scores.tokens[vocabulary] + lengths[i]);
        if (tokens.length === 2) return;
        for (const token of [0, 1]) {
          walk([...tokens, token], at + duration, score + scores.tokens[token] + lengths[i]);
        }
      });
    };
    walk([], 0, 0);
    return combined(all, logSum);
  };
  const byEnd = (found: readonly BeamHypothesis[]): Record<string, number> => {
    const scores = found
      .filter(({ prefix }) => prefix.length <= 2 && prefix.tokens().every((token) => token < 2))
      .map((one) => [`${one.prefix.tokens().join(',')} at ${one.at}`, one.score] as const);
    return Object.fromEntries(scores.sort(([a], [b]) => a.localeCompare(b)));
  };

  it('beam: sums over all ways to the same tokens and frame', () => {
    const found = run(model, (root) => tdtSearch(root, 3, 40, vocabulary, durations));
    expectClose(byEnd(found), sums(false));
    for (const { frames, durations: lasted, prefix } of found) {
      expect([frames.length, lasted?.length]).toEqual([prefix.length, prefix.length]);
    }
  });

  it('maes: sums over the same ways; a blank that stays is one more', () => {
    const options = { beamSize: 39, vocabulary, steps: 3, gamma: 40, beta: 1 };
    const search = (prefixAlpha: number): Record<string, number> =>
      byEnd(
        run(model, (root) => tdtAdaptiveExpansionSearch(root, 3, durations, { ...options, prefixAlpha })),
      );
    expectClose(search(0), sums(true));
    // With prefixes NeMo counts some ways twice, so no score is lower.
    for (const [key, score] of Object.entries(search(1)))
      expect(score).toBeGreaterThan(search(0)[key] - 1e-4);
  });
});

describe('parts', () => {
  it('beam 1 is a greedy search of at most five tokens a frame, whose score leaves blanks out', () => {
    const model: Toy = {
      frames: 2,
      durations: 0,
      scores: (tokens, frame) => {
        const blank = frame === 1 && tokens.length === 6;
        const scores = new Float32Array(vocabulary + 1).fill(-9);
        scores[blank ? vocabulary : tokens.length] = -0.5;
        return { tokens: scores, durations: undefined };
      },
    };
    const [found] = run(model, (root) => defaultSearch(root, 2, 1, vocabulary));
    expect(found.prefix.tokens()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(found.frames).toEqual([0, 0, 0, 0, 0, 1]);
    expect(found.score).toBeCloseTo(-3, 5);
  });

  it('normalises scores by the length with the empty start', () => {
    const root = Prefix.root(9);
    const short = { score: -2, prefix: root.child(1), frames: [0] };
    const long = { score: -2.7, prefix: root.child(1).child(2), frames: [0, 0] };
    expect(sortNBest([short, long], true)[0]).toBe(long);
    expect(sortNBest([short, long], false)[0]).toBe(short);
  });

  it('merges TDT hypotheses of the same tokens at the same frame only', () => {
    const root = Prefix.root(9);
    const make = (score: number, at: number) => ({ score, prefix: root.child(1), frames: [0], durations: [1], at }); // biome-ignore format: one line reads better
    const merged = mergeDuplicates([make(-2, 3), make(-1, 3), make(-1.5, 4)]);
    expect(merged.map(({ at }) => at)).toEqual([3, 4]);
    expect(merged[0].score).toBeCloseTo(Math.log(Math.exp(-1) + Math.exp(-2)), 10);
  });

  it('takes the largest, the first of equals', () => {
    expect(topK([1, 5, 3, 5, 2], 3)).toEqual([1, 3, 2]);
    expect(topK([1, 5, 3], 2, 1)).toEqual([0]);
    expect(topK([2, 1], 9)).toEqual([0, 1]);
  });
});
