// A transducer made of random numbers, to run searches on: two plausible tokens among many, and from a length on
// no token is plausible any more, so that everything can be enumerated.
import { Prefix } from '../../../src/asr/decoding/beam/prefix.js';
import type { BeamHypothesis, Scores, Search } from '../../../src/asr/decoding/beam/search.js';
import { CounterRandom } from '../../../src/random/index.js';

export const vocabulary = 40;

export interface Toy {
  readonly frames: number;
  readonly durations: number;
  scores(tokens: readonly number[], frame: number): Scores;
}

export function toy(seed: number, frames: number, longest: number, durations = 0): Toy {
  const random = new CounterRandom(seed);
  return {
    frames,
    durations,
    scores: (tokens, frame) => {
      const key = tokens.reduce((sum, token) => 3 * sum + token + 1, frame) * 100;
      const raw = Array.from({ length: vocabulary + 1 }, (_, k) => {
        const plausible = k === vocabulary || (k < 2 && tokens.length < longest);
        return (plausible ? 0 : -60) + random.normal(key + k);
      });
      const rawDurations = Array.from({ length: durations }, (_, k) => random.normal(key + 60 + k));
      return {
        tokens: Float32Array.from(normalise(raw)),
        durations: durations > 0 ? Float32Array.from(normalise(rawDurations)) : undefined,
      };
    },
  };
}

function normalise(values: readonly number[]): number[] {
  const total = Math.log(values.reduce((sum, x) => sum + Math.exp(x), 0));
  return values.map((x) => x - total);
}

/** Runs a search to its end. */
export function run(toy: Toy, start: (root: Prefix) => Search): BeamHypothesis[] {
  const search = start(Prefix.root(vocabulary));
  let turn = search.next();
  while (!turn.done) {
    turn = search.next(turn.value.map(({ prefix, frame }) => toy.scores(prefix.tokens(), frame)));
  }
  return turn.value;
}

/** Scores of all hypotheses without implausible tokens, by token sequence. */
export function plausible(found: readonly BeamHypothesis[], longest = 3): Record<string, number> {
  const entries = found
    .map(({ prefix, score }) => [prefix.tokens(), score] as const)
    .filter(([tokens]) => tokens.length <= longest && tokens.every((token) => token < 2))
    .map(([tokens, score]) => [tokens.join(','), score] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b)));
}

export function logSum(values: readonly number[]): number {
  return Math.log(values.reduce((sum, x) => sum + Math.exp(x), 0));
}
