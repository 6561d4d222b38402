// How a hypothesis differs from its reference: Levenshtein distance with its path, over any tokens. Of
// several shortest paths the one with most matches is taken (of those, from the end, a substitution before a
// deletion before an insertion), so counts of each kind are reproducible. Rates over a corpus are in error-rate.ts.

/** What an alignment does at one place. */
export type EditKind = 'match' | 'substitution' | 'deletion' | 'insertion';

/** One place of an alignment. */
export interface Edit<T = string> {
  readonly kind: EditKind;
  /** Absent for an insertion. */
  readonly reference?: T;
  /** Absent for a deletion. */
  readonly hypothesis?: T;
}

/** How many edits of each kind an alignment has; `matches` are no errors. */
export interface EditCounts {
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
  readonly matches: number;
}

/** Fewest substitutions, deletions and insertions (1 each) between the two. */
export function levenshtein<T>(reference: ArrayLike<T>, hypothesis: ArrayLike<T>): number {
  const m = hypothesis.length;
  const row = Int32Array.from({ length: m + 1 }, (_, j) => j);
  for (let i = 1; i <= reference.length; i++) {
    let diagonal = row[0];
    row[0] = i;
    for (let j = 1; j <= m; j++) {
      const cost = diagonal + (reference[i - 1] === hypothesis[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = Math.min(cost, row[j] + 1, row[j - 1] + 1);
    }
  }
  return row[m];
}

/** The edits in order; their number without matches is `levenshtein`. Memory: 8 bytes × both lengths. */
export function align<T>(reference: ArrayLike<T>, hypothesis: ArrayLike<T>): Edit<T>[] {
  const n = reference.length;
  const m = hypothesis.length;
  const width = m + 1;
  // An error outweighs every match there can be; a match lowers the cost by one.
  const error = Math.min(n, m) + 1;
  const table = new Float64Array((n + 1) * width);
  const diagonalCost = (i: number, j: number): number =>
    table[(i - 1) * width + j - 1] + (reference[i - 1] === hypothesis[j - 1] ? -1 : error);
  for (let j = 0; j <= m; j++) table[j] = j * error;
  for (let i = 1; i <= n; i++) {
    table[i * width] = i * error;
    for (let j = 1; j <= m; j++) {
      const gap = Math.min(table[(i - 1) * width + j], table[i * width + j - 1]) + error;
      table[i * width + j] = Math.min(diagonalCost(i, j), gap);
    }
  }
  const edits: Edit<T>[] = [];
  let i = n;
  let j = m;
  while (i > 0 || j > 0) {
    const here = table[i * width + j];
    if (i > 0 && j > 0 && here === diagonalCost(i, j)) {
      const isMatch = reference[i - 1] === hypothesis[j - 1];
      edits.push({
        kind: isMatch ? 'match' : 'substitution',
        reference: reference[--i],
        hypothesis: hypothesis[--j],
      });
    } else if (i > 0 && here === table[(i - 1) * width + j] + error) {
      edits.push({ kind: 'deletion', reference: reference[--i] });
    } else edits.push({ kind: 'insertion', hypothesis: hypothesis[--j] });
  }
  return edits.reverse();
}

/** Counts the edits of one alignment, or of several one after the other. */
export function countEdits(edits: Iterable<Edit<unknown>>): EditCounts {
  const counts = { substitutions: 0, deletions: 0, insertions: 0, matches: 0 };
  for (const { kind } of edits) {
    if (kind === 'match') counts.matches++;
    else if (kind === 'substitution') counts.substitutions++;
    else if (kind === 'deletion') counts.deletions++;
    else counts.insertions++;
  }
  return counts;
}
