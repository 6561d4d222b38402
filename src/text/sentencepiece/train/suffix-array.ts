// Sorting all suffixes of a text by their first symbols, and the repeated substrings that follow from it
// (the inner nodes of the suffix tree). Sorting stops at a given depth, since pieces are short.

/**
 * Places of `text` ordered by the symbols that follow, equal ones in any order beyond `depth` symbols.
 * Prefix doubling with counting sorts (Manber & Myers 1990): O(n log depth).
 * @param text symbols in 0..alphabet-1
 */
export function sortSuffixes(text: Int32Array, alphabet: number, depth: number): Int32Array {
  const n = text.length;
  const order = new Int32Array(n);
  let rank = Int32Array.from(text);
  let spare = new Int32Array(n);
  let starts = new Int32Array(Math.max(alphabet, n) + 2);
  let ranks = alphabet;

  /** Stable counting sort of `from` by rank into `to`. */
  const sortByRank = (from: Int32Array, to: Int32Array): void => {
    starts.fill(0, 0, ranks + 1);
    for (let i = 0; i < n; i++) starts[rank[i] + 1]++;
    for (let r = 0; r < ranks; r++) starts[r + 1] += starts[r];
    for (let i = 0; i < n; i++) to[starts[rank[from[i]]]++] = from[i];
  };
  for (let i = 0; i < n; i++) spare[i] = i;
  sortByRank(spare, order);
  for (let sorted = 1; sorted < depth; sorted *= 2) {
    // By the second half: suffixes too short to have one come first.
    let k = 0;
    for (let i = Math.max(0, n - sorted); i < n; i++) spare[k++] = i;
    for (let i = 0; i < n; i++) if (order[i] >= sorted) spare[k++] = order[i] - sorted;
    sortByRank(spare, order);
    const next = spare;
    next[order[0]] = 0;
    let last = 0;
    for (let i = 1; i < n; i++) {
      const a = order[i - 1];
      const b = order[i];
      const secondA = a + sorted < n ? rank[a + sorted] : -1;
      const secondB = b + sorted < n ? rank[b + sorted] : -1;
      if (rank[a] !== rank[b] || secondA !== secondB) last++;
      next[b] = last;
    }
    spare = rank;
    rank = next;
    ranks = last + 1;
    if (ranks === n) break;
  }
  starts = new Int32Array(0);
  return order;
}

/** Substrings that are followed by at least two different symbols, in parallel arrays. */
export interface RepeatedSubstrings {
  /** A place where the substring stands. */
  readonly at: number[];
  readonly length: number[];
  /** Its places are `order[from .. to)`. */
  readonly from: number[];
  readonly to: number[];
}

/**
 * The inner nodes of the suffix tree of 2 to `maxLength` symbols.
 * @param isEnd symbols that end a word: comparisons stop behind them
 */
export function repeatedSubstrings(
  text: Int32Array,
  order: Int32Array,
  maxLength: number,
  isEnd: (symbol: number) => boolean,
): RepeatedSubstrings {
  const n = text.length;
  const found: RepeatedSubstrings = { at: [], length: [], from: [], to: [] };
  const commonPrefix = (a: number, b: number): number => {
    let k = 0;
    // One further than asked, to see whether the substring of full length branches.
    while (k <= maxLength && a + k < n && b + k < n && text[a + k] === text[b + k]) {
      if (isEnd(text[a + k])) return k + 1;
      k++;
    }
    return k;
  };
  const depths: number[] = [];
  const lefts: number[] = [];
  for (let i = 1; i <= n; i++) {
    const common = i < n ? commonPrefix(order[i - 1], order[i]) : 0;
    let left = i - 1;
    while (depths.length > 0 && depths[depths.length - 1] > common) {
      const depth = depths.pop() as number;
      left = lefts.pop() as number;
      if (depth >= 2 && depth <= maxLength) {
        found.at.push(order[left]);
        found.length.push(depth);
        found.from.push(left);
        found.to.push(i);
      }
    }
    if (common > 0 && (depths.length === 0 || depths[depths.length - 1] < common)) {
      depths.push(common);
      lefts.push(left);
    }
  }
  return found;
}
