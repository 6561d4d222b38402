import { expect, it } from 'vitest';
import { type Axis, type Formula, fitFormula } from '../../src/engine/onnx/export/sizes.js';

const batch: Axis = { value: 'x', index: 0, sizes: [3, 9, 4, 7, 5] };
const time: Axis = { value: 'x', index: 1, sizes: [20, 31, 42, 17, 25] };

/** The formula at other sizes. */
function at({ constant, terms }: Formula, sizes: ReadonlyMap<Axis, number>): number {
  return terms.reduce((sum, { factor, atoms }) => {
    return (
      sum +
      atoms.reduce(
        (p, { axis, plus, over }) => p * Math.floor(((sizes.get(axis) ?? 0) + plus) / over),
        factor,
      )
    );
  }, constant);
}

const cases: readonly [string, (b: number, t: number) => number][] = [
  ['a constant', () => 8],
  ['an axis', (_b, t) => t],
  ['2T - 1', (_b, t) => 2 * t - 1],
  ['5000 - T', (_b, t) => 5000 - t],
  ['8·B·T', (b, t) => 8 * b * t],
  ['T² - 1', (_b, t) => t * t - 1],
];

it.each(cases)('finds %s', (_name, rule) => {
  const formula = fitFormula(
    batch.sizes.map((b, i) => rule(b, time.sizes[i])),
    [batch, time],
  );
  expect(formula).toBeDefined();
  expect(formula && at(formula, new Map([[batch, 11], [time, 103]]))).toBe(rule(11, 103)); // biome-ignore format: short
});

it('finds halves when the examples tell which, and says nothing when they do not', () => {
  const pad = (t: number) => (4 - (t % 4)) % 4;
  const mixed: Axis = { ...time, sizes: [20, 31, 42, 17, 25, 38, 7, 64] };
  const formula = fitFormula(mixed.sizes.map(pad), [mixed]);
  for (const t of [1, 2, 3, 4, 101]) expect(formula && at(formula, new Map([[mixed, t]]))).toBe(pad(t));
  // On odd numbers (t+1)/2 may be a floor or a ceiling.
  const odd: Axis = { ...time, sizes: [21, 31, 43, 17, 25] };
  expect(
    fitFormula(
      odd.sizes.map((t) => (t + 1) / 2),
      [odd],
    ),
  ).toBeUndefined();
  expect(fitFormula([3, 1, 4, 1, 5], [batch, time])).toBeUndefined();
});
