// The merging of byte-pair encoding (Sennrich et al. 2016): of all neighbouring pairs the one that was learned first is joined,
// the leftmost of equals, until no pair is left that was learned. One by one, as Hugging Face's tokenizers does.
import type { PairTable } from './pair-table.js';

/** Beyond so many symbols a queue of pairs is faster than looking at all of them again. */
const FEW_SYMBOLS = 48;
const NONE = 0x7fffffff;

/**
 * Merges the first `count` of `symbols` in place.
 * @returns how many are left
 */
export function mergeSymbols(symbols: Int32Array, count: number, merges: PairTable): number {
  return count <= FEW_SYMBOLS ? mergeFew(symbols, count, merges) : mergeMany(symbols, count, merges);
}

const fewRanks = new Int32Array(FEW_SYMBOLS);

/** Looks at all pairs for the lowest rank, each time. */
export function mergeFew(symbols: Int32Array, count: number, merges: PairTable): number {
  const ranks = fewRanks;
  const rankOf = (i: number): number => {
    const place = merges.find(symbols[i], symbols[i + 1]);
    return place < 0 ? NONE : merges.rankAt(place);
  };
  let length = count;
  for (let i = 0; i + 1 < length; i++) ranks[i] = rankOf(i);
  while (length > 1) {
    let [lowest, at] = [NONE, -1];
    for (let i = 0; i + 1 < length; i++) {
      if (ranks[i] < lowest) {
        lowest = ranks[i];
        at = i;
      }
    }
    if (at < 0) break;
    symbols[at] = merges.idAt(merges.find(symbols[at], symbols[at + 1]));
    length--;
    symbols.copyWithin(at + 1, at + 2, length + 1);
    ranks.copyWithin(at + 1, at + 2, length);
    if (at + 1 < length) ranks[at] = rankOf(at);
    if (at > 0) ranks[at - 1] = rankOf(at - 1);
  }
  return length;
}

/** Places of pairs, rank and place in one number; the lowest comes out first. */
class PairQueue {
  private heap = new Float64Array(64);
  size = 0;

  push(key: number): void {
    if (this.size === this.heap.length) {
      const larger = new Float64Array(2 * this.size);
      larger.set(this.heap);
      this.heap = larger;
    }
    const { heap } = this;
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent] <= key) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = key;
  }

  pop(): number {
    const { heap } = this;
    const first = heap[0];
    const key = heap[--this.size];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= key) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = key;
    return first;
  }
}

/** Places below 2^29, which no string reaches, and ranks below 2^24 fit in a number together. */
const PLACES = 2 ** 29;

/** Symbols as a linked list, pairs in a queue: n log n. */
export function mergeMany(symbols: Int32Array, count: number, merges: PairTable): number {
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const ranks = new Int32Array(count).fill(NONE);
  const queue = new PairQueue();
  const ask = (at: number): void => {
    const place = next[at] < 0 ? -1 : merges.find(symbols[at], symbols[next[at]]);
    ranks[at] = place < 0 ? NONE : merges.rankAt(place);
    if (place >= 0) queue.push(ranks[at] * PLACES + at);
  };
  for (let i = 0; i + 1 < count; i++) ask(i);
  while (queue.size > 0) {
    const key = queue.pop();
    const at = key % PLACES;
    const right = next[at];
    // Pairs that have changed since they were queued are passed over; symbols that were joined have no rank.
    if (ranks[at] !== Math.floor(key / PLACES) || right < 0) continue;
    symbols[at] = merges.idAt(merges.find(symbols[at], symbols[right]));
    ranks[right] = NONE;
    next[at] = next[right];
    if (next[at] >= 0) previous[next[at]] = at;
    ask(at);
    if (previous[at] >= 0) ask(previous[at]);
  }
  let length = 0;
  for (let at = 0; at >= 0; at = next[at]) symbols[length++] = symbols[at];
  return length;
}
