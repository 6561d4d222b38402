// The n-gram model that the quickstart's language model is compared with: against formulas applied to counts by hand.
import { describe, expect, it } from 'vitest';
import { KneserNey } from '../../examples/sotu/ngram.js';
import { CounterRandom } from '../../src/random/index.js';

const V = 7;
const random = new CounterRandom(3);
/** A text whose tokens hang on those before. */
const text: number[] = [];
for (let i = 0; i < 400; i++) {
  const drawn = Math.floor(random.uniform(i) * 3);
  text.push(((text.at(-1) ?? 0) + (text.at(-2) ?? 0) + drawn) % V);
}

const grams = (n: number): string[] => text.slice(n - 1).map((_, i) => text.slice(i, i + n).join(' '));

/** The same model by definition: sets of strings, counted anew for each question. */
function byDefinition(history: readonly number[], token: number, length: number): number {
  const count = (gram: string, n: number): number =>
    n === length
      ? grams(n).filter((other) => other === gram).length
      : new Set(grams(n + 1).filter((other) => other.endsWith(` ${gram}`))).size;
  const discountsOf = (n: number): number[] => {
    const counts = [...new Set(grams(n))].map((gram) => count(gram, n));
    const [n1, n2, n3, n4] = [1, 2, 3, 4].map((c) => counts.filter((other) => other === c).length);
    const y = n1 / (n1 + 2 * n2);
    return [1 - (2 * y * n2) / n1, 2 - (3 * y * n3) / n2, 3 - (4 * y * n4) / n3].map((d, i) =>
      d > 0 && d < i + 1 ? d : 0.5,
    );
  };
  let probability = 1 / V;
  for (let n = 1; n <= Math.min(length, history.length + 1); n++) {
    const context = history.slice(history.length - n + 1);
    const continuations = Array.from({ length: V }, (_, w) => count([...context, w].join(' '), n));
    const total = continuations.reduce((a, b) => a + b, 0);
    if (total === 0) continue;
    const discounts = discountsOf(n);
    const discountOf = (c: number): number => (c === 0 ? 0 : discounts[Math.min(c, 3) - 1]);
    const taken = continuations.map(discountOf).reduce((a, b) => a + b, 0);
    const own = continuations[token];
    probability = (own - discountOf(own) + taken * probability) / total;
  }
  return probability;
}

describe.each([1, 2, 3])('grams of %d', (length) => {
  const model = new KneserNey(text, V, length);

  it('have the probabilities of the formulas', () => {
    for (const history of [[], [3], [1, 2], [6, 6], text.slice(20, 25), text.slice(-4)]) {
      for (let token = 0; token < V; token++) {
        expect(model.probability(history, token)).toBeCloseTo(byDefinition(history, token, length), 12);
      }
    }
  });

  it('have probabilities that sum to one after whatever history', () => {
    for (let i = 0; i < 30; i++) {
      const history = Array.from({ length: i % 5 }, (_, k) => Math.floor(random.derive(i).uniform(k) * V));
      const sum = Array.from({ length: V }, (_, token) => model.probability(history, token)).reduce((a, b) => a + b, 0); // biome-ignore format: one line
      expect(sum).toBeCloseTo(1, 12);
    }
  });
});

it('bits of a text are the sum over its tokens', () => {
  const model = new KneserNey(text, V, 3);
  const other = [1, 2, 3, 5, 1];
  const bits = other.map((token, i) => -Math.log2(model.probability(other.slice(0, i), token)));
  expect(model.bits(other)).toBeCloseTo(
    bits.reduce((a, b) => a + b, 0),
    10,
  );
});
