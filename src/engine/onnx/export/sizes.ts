// Integers of a graph as functions of its axes: given how a number came out in several examples, and how long the
// axes were in each, finds the formula. Knows nothing of ONNX nodes.

/** An axis of a value in the graph, with its length in each example. */
export interface Axis {
  readonly value: string;
  readonly index: number;
  readonly sizes: readonly number[];
}

/** factor · Π of factors; each is an axis, or floor((axis + plus) / over). */
export interface Term {
  readonly factor: number;
  readonly atoms: readonly Atom[];
}

export interface Atom {
  readonly axis: Axis;
  readonly plus: number;
  readonly over: number;
}

/** constant + Σ terms. */
export interface Formula {
  readonly constant: number;
  readonly terms: readonly Term[];
}

const MOST_DIVISOR = 16;

export const isConstant = (numbers: readonly number[]): boolean => numbers.every((n) => n === numbers[0]);

/**
 * The formula whose values in the examples are `numbers`: the simplest of a constant, an axis, a·X + c, a·X·Y + c and
 * a·floor((X + q)/r) + b·X + c with r ≤ 16. Undefined when none fits, or when several of the last form fit that
 * differ for other lengths: the examples then do not tell.
 */
export function fitFormula(numbers: readonly number[], axes: readonly Axis[]): Formula | undefined {
  if (isConstant(numbers)) return { constant: numbers[0], terms: [] };
  const varying = axes.filter(({ sizes }) => !isConstant(sizes));
  const atoms = varying.map((axis): Atom => ({ axis, plus: 0, over: 1 }));
  for (const atom of atoms) {
    const formula = affine(numbers, [atom]);
    if (formula) return formula;
  }
  for (const [i, first] of atoms.entries()) {
    for (const second of atoms.slice(i)) {
      const formula = affine(numbers, [first, second]);
      if (formula) return formula;
    }
  }
  for (const axis of varying) {
    const formula = withDivision(numbers, axis);
    if (formula) return formula;
  }
  return undefined;
}

/** a · Πatoms + c through all numbers, with whole a ≠ 0. */
function affine(numbers: readonly number[], atoms: readonly Atom[]): Formula | undefined {
  const values = numbers.map((_, i) =>
    atoms.reduce((product, { axis, plus, over }) => product * Math.floor((axis.sizes[i] + plus) / over), 1),
  );
  const other = values.findIndex((value) => value !== values[0]);
  if (other < 0) return undefined;
  const factor = (numbers[other] - numbers[0]) / (values[other] - values[0]);
  const constant = numbers[0] - factor * values[0];
  if (factor === 0 || !Number.isInteger(factor) || !Number.isInteger(constant)) return undefined;
  if (!numbers.every((n, i) => n === factor * values[i] + constant)) return undefined;
  return { constant, terms: [{ factor, atoms }] };
}

function withDivision(numbers: readonly number[], axis: Axis): Formula | undefined {
  const found: Formula[] = [];
  for (let over = 2; over <= MOST_DIVISOR; over++) {
    for (let plus = 0; plus < over; plus++) {
      for (const slope of [0, -1, 1]) {
        const rest = numbers.map((n, i) => n - slope * axis.sizes[i]);
        const formula = affine(rest, [{ axis, plus, over }]);
        if (!formula) continue;
        const line: Term[] = slope === 0 ? [] : [{ factor: slope, atoms: [{ axis, plus: 0, over: 1 }] }];
        found.push({ ...formula, terms: [...formula.terms, ...line] });
      }
    }
  }
  if (found.length === 0) return undefined;
  // All lengths that divisors up to the largest can tell apart, near the examples'.
  const from = Math.min(...axis.sizes);
  const agree = (a: Formula, b: Formula) => {
    for (let size = from; size < from + 720_720 / MOST_DIVISOR; size++) {
      if (at(a, size) !== at(b, size)) return false;
    }
    return true;
  };
  return found.every((formula) => agree(formula, found[0])) ? found[0] : undefined;
}

/** The value of a formula of one axis. */
function at({ constant, terms }: Formula, size: number): number {
  return terms.reduce((sum, { factor, atoms }) => {
    const product = atoms.reduce((p, { plus, over }) => p * Math.floor((size + plus) / over), 1);
    return sum + factor * product;
  }, constant);
}
