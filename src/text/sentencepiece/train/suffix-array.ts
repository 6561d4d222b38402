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
  let spareOrder = new Int32Array(n);
  let starts = new Int32Array(Math.max(alphabet, n) + 2);
  let ranks = alphabet;

  /** Stable counting sort of `from` by rank into `to`. */
  const sortByRank = (from: Int32Array, to: Int32Array): void => {
    starts.fill(0, 0, ranks + 1);
    for (let i = 0; i < n; i++) starts[rank[i] + 1]++;
    for (let r = 0; r < ranks; r++) starts[r + 1] += starts[r];
    for (let i = 0; i < n; i++) to[starts[rank[from[i]]]++] = from[i];
  };
  for (let i = 0; i < n; i++) spareOrder[i] = i;
  sortByRank(spareOrder, order);
  for (let sortedLength = 1; sortedLength < depth; sortedLength *= 2) {
    // By the second half: suffixes too short to have one come first.
    let k = 0;
    for (let i = Math.max(0, n - sortedLength); i < n; i++) spareOrder[k++] = i;
    for (let i = 0; i < n; i++) if (order[i] >= sortedLength) spareOrder[k++] = order[i] - sortedLength;
    sortByRank(spareOrder, order);
    const next = spareOrder;
    next[order[0]] = 0;
    let last = 0;
    for (let i = 1; i < n; i++) {
      const a = order[i - 1];
      const b = order[i];
      const secondA = a + sortedLength < n ? rank[a + sortedLength] : -1;
      const secondB = b + sortedLength < n ? rank[b + sortedLength] : -1;
      if (rank[a] !== rank[b] || secondA !== secondB) last++;
      next[b] = last;
    }
    spareOrder = rank;
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
  const substrings: RepeatedSubstrings = { at: [], length: [], from: [], to: [] };
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
    const commonLength = i < n ? commonPrefix(order[i - 1], order[i]) : 0;
    let leftEnd = i - 1;
    while (depths.length > 0 && depths[depths.length - 1] > commonLength) {
      const depth = depths.pop() as number;
      leftEnd = lefts.pop() as number;
      if (depth >= 2 && depth <= maxLength) {
        substrings.at.push(order[leftEnd]);
        substrings.length.push(depth);
        substrings.from.push(leftEnd);
        substrings.to.push(i);
      }
    }
    if (commonLength > 0 && (depths.length === 0 || depths[depths.length - 1] < commonLength)) {
      depths.push(commonLength);
      lefts.push(leftEnd);
    }
  }
  return substrings;
}
