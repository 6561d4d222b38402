// CTC prefix beam search against enumeration of all paths.
import { describe, expect, it } from 'vitest';
import { ctcBeamSearch } from '../../../src/asr/decoding/ctc-beam.js';
import { TokenFusion } from '../../../src/asr/decoding/fusion/token-fusion.js';
import { parseArpa } from '../../../src/asr/decoding/lm/arpa.js';
import { TokenNgram } from '../../../src/asr/decoding/lm/token-ngram.js';
import { CounterRandom } from '../../../src/random/index.js';
import { logSum } from './toy.js';

const [frames, classes] = [5, 4];
const words = ['a', 'b', 'c'];

function logProbabilities(seed: number): Float32Array {
  const random = new CounterRandom(seed);
  return Float32Array.from(
    Array.from({ length: frames }, (_, t) => {
      const raw = Array.from({ length: classes }, (_, k) => 1.5 * random.normal(10 * t + k));
      const total = logSum(raw);
      return raw.map((x) => x - total);
    }).flat(),
  );
}

/** log P of every token sequence. */
function exact(values: Float32Array): Map<string, number> {
  const all = new Map<string, number[]>();
  const walk = (t: number, tokens: number[], previous: number, score: number): void => {
    if (t === frames) {
      const key = tokens.join(',');
      all.set(key, [...(all.get(key) ?? []), score]);
      return;
    }
    for (let k = 0; k < classes; k++) {
      const isNew = k !== classes - 1 && k !== previous;
      walk(t + 1, isNew ? [...tokens, k] : tokens, k, score + values[t * classes + k]);
    }
  };
  walk(0, [], classes - 1, 0);
  return new Map([...all].map(([key, scores]) => [key, logSum(scores)]));
}

const lm = parseArpa(
  new TextEncoder().encode(
    `\\data\\\nngram 1=5\nngram 2=3\n\n\\1-grams:\n-1 <s> -0.3\n-0.8 </s>\n-0.5 a -0.2\n-0.7 b -0.1\n-1.2 c\n\n\\2-grams:\n-0.2 <s> a\n-0.4 a b\n-0.3 b </s>\n\n\\end\\\n`,
  ),
  'test',
);

describe.each([1, 2, 3, 4])('model %i', (seed) => {
  const values = logProbabilities(seed);
  const input = { logProbabilities: values, offset: 0, classes, length: frames };

  it('finds the most probable token sequences, with their probabilities', () => {
    const found = ctcBeamSearch(input, { beamSize: 1000, threshold: 1000, beta: 0 });
    const expected = [...exact(values)].sort(([, a], [, b]) => b - a);
    expect(found.length).toBe(expected.length);
    for (const [i, [tokens, score]] of expected.slice(0, 20).entries()) {
      expect(found[i].tokens.join(',')).toBe(tokens);
      expect(found[i].score).toBeCloseTo(score, 5);
    }
    for (const { tokens, frames: at } of found) {
      expect(at.length).toBe(tokens.length);
      expect([...at].sort((a, b) => a - b)).toEqual(at);
    }
  });

  it('adds a bonus for each token and the language model', () => {
    const fusion = new TokenFusion([{ model: new TokenNgram(lm, words), weight: 0.7 }], words.length);
    const options = { beamSize: 1000, threshold: 1000, beta: 0.3, fusion };
    const found = ctcBeamSearch(input, options);
    const scored = [...exact(values)].map(([key, score]) => {
      const tokens = key === '' ? [] : key.split(',').map(Number);
      let state = lm.start();
      let total = score + 0.3 * tokens.length;
      for (const token of tokens) {
        const next = lm.score(state, words[token]);
        total += 0.7 * next.score;
        state = next.state;
      }
      return [key, total + 0.7 * lm.finish(state)] as const;
    });
    const [best, score] = scored.reduce((a, b) => (b[1] > a[1] ? b : a));
    expect(found[0].tokens.join(',')).toBe(best);
    expect(found[0].score).toBeCloseTo(score, 5);
  });

  it('keeps no more than the beam, and with one prefix still a sequence', () => {
    const three = ctcBeamSearch(input, { beamSize: 3, threshold: 1000, beta: 0 });
    expect(three.length).toBe(3);
    const all = exact(values);
    for (const { tokens, score } of three) {
      expect(score).toBeLessThan((all.get(tokens.join(',')) as number) + 1e-5);
    }
    expect(ctcBeamSearch(input, { beamSize: 1, threshold: 1000, beta: 0 }).length).toBe(1);
  });
});

it('gives the frame at which each token comes in', () => {
  const path = [3, 0, 0, 3, 0, 1];
  const values = Float32Array.from(path.flatMap((k) => [0, 1, 2, 3].map((j) => (j === k ? -0.01 : -6))));
  const input = { logProbabilities: values, offset: 0, classes, length: 6 };
  const [best] = ctcBeamSearch(input, { beamSize: 8, threshold: 20, beta: 0 });
  expect(best.tokens).toEqual([0, 0, 1]);
  expect(best.frames).toEqual([1, 4, 5]);
});
