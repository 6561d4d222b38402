// How many tokens at the head of a buffer are already known from the buffer before it: NeMo's merge by longest common
// substring (`longest_common_subsequence_merge` in streaming_utils.py), step for step, for its texts to come out alike.

/** A match shorter than this can be chance, as between two silences; nothing is cut then. */
const LEAST_MATCH = 2;

/**
 * @param knownTokens tokens at the end of what was merged so far
 * @param newTokens all tokens of the next buffer, which overlaps with it
 * @returns how many of `fresh` to leave out
 */
export function overlapLength(knownTokens: readonly number[], newTokens: readonly number[]): number {
  const runs = commonRuns(knownTokens, newTokens);
  const { row, column } = longestRun(runs);
  if (row === knownTokens.length) return column;
  // The end of `known` was heard otherwise by the new buffer.
  const anchor = leftmostRun(runs);
  return anchor.length < LEAST_MATCH ? 0 : cutAfter(runs, anchor);
}

/** `[i][j]`: tokens before `known[i]` that equal as many before `fresh[j]`. */
type Runs = readonly Int32Array[];

interface Run {
  readonly row: number;
  readonly column: number;
  readonly length: number;
}

function commonRuns(knownTokens: readonly number[], newTokens: readonly number[]): Runs {
  const runs = Array.from({ length: knownTokens.length + 1 }, () => new Int32Array(newTokens.length + 1));
  knownTokens.forEach((token, i) => {
    newTokens.forEach((newToken, j) => {
      if (token === newToken) runs[i + 1][j + 1] = runs[i][j] + 1;
    });
  });
  return runs;
}

/** Of several, the one that ends last in `known`, then in `fresh`. */
function longestRun(runs: Runs): Run {
  let best: Run = { row: 0, column: 0, length: 1 };
  runs.forEach((line, row) => {
    line.forEach((length, column) => {
      if (length >= best.length) best = { row, column, length };
    });
  });
  return best;
}

/** The longest, from the end of `known` on, of those that end ever further left in `fresh`. */
function leftmostRun(runs: Runs): Run {
  let best: Run = { row: runs.length - 1, column: Number.POSITIVE_INFINITY, length: 0 };
  for (let row = runs.length - 1; row >= 0; row--) {
    runs[row].forEach((length, column) => {
      if (length > best.length && column <= best.column) best = { row, column, length };
    });
  }
  return best;
}

/**
 * From a match in the middle on, the rest of `known` is followed down the diagonal, which may be left by one token a row
 * (the two buffers disagree there); then back to the start, counting what is passed.
 */
function cutAfter(runs: Runs, anchor: Run): number {
  const width = runs[0].length;
  let reach = 0;
  let slack = 0;
  for (let row = anchor.row + 1; row < runs.length; row++) {
    const diagonal = anchor.column + row - anchor.row;
    let missed = 0;
    for (let column = diagonal; column <= Math.min(diagonal + slack, width - 1); column++) {
      if (runs[row][column] === 0) missed = 1;
      else reach = 1 + slack + missed;
    }
    slack += missed;
  }
  let row = anchor.row;
  let column = anchor.column + reach;
  let passed = 0;
  while (row > 0 && column > 0) {
    if (runs[row][column] === 0) {
      column--;
      passed++;
    }
    if (column > 0) {
      column--;
      row--;
      passed++;
    }
  }
  return column + passed;
}
