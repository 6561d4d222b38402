// Learning byte-pair merges: again and again the most frequent neighbouring pair becomes a piece (of equals
// the shorter, then the first by code point). Pair counts are kept exact while merging, so each step costs
// only the places it changes. The choice is SentencePiece's, without its sampling of candidates.
import type { Corpus } from './corpus.js';
import type { ResolvedTrainOptions } from './options.js';
import { compareCodePoints } from './order.js';
import { makePieceRule, UNKNOWN_CODE } from './piece-rules.js';

/** Pieces of two and more characters in the order they were learned; fewer than `wanted` if the text runs out. */
export function learnMerges(
  corpus: Corpus,
  wantedPieces: number,
  options: ResolvedTrainOptions,
  forbiddenPieces: ReadonlySet<string>,
): string[] {
  const text = new SymbolText(corpus);
  const pairs = new PairTable(text, options, forbiddenPieces);
  for (let at = 0; at < text.symbols.length; at++) {
    if (text.next[at] >= 0) pairs.add(at);
  }
  pairs.queueAll();
  const learned: string[] = [];
  const seenPieces = new Set<string>();
  while (learned.length < wantedPieces) {
    const pair = pairs.popBest();
    if (pair === undefined) break;
    pair.done = true;
    // The same string can come about by other merges ("a"+"aa", "aa"+"a"); it is a piece only once, and the
    // later way to it is never taken.
    if (seenPieces.has(pair.text)) continue;
    seenPieces.add(pair.text);
    learned.push(pair.text);
    mergeEverywhere(text, pairs, pair);
    if (learned.length % 100 === 0) {
      options.onProgress?.({ stage: 'merge', pieces: learned.length, lines: corpus.lines });
    }
  }
  return learned;
}

function mergeEverywhere(text: SymbolText, pairs: PairTable, pair: Pair): void {
  const { symbols, next, previous } = text;
  const mergedSymbol = text.define(pair.codes, pair.text);
  pair.places.sort((a, b) => a - b);
  for (const left of pair.places) {
    if (symbols[left] !== pair.left) continue;
    const right = next[left];
    if (right < 0 || symbols[right] !== pair.right) continue;
    const before = previous[left];
    const after = next[right];
    if (before >= 0) pairs.remove(before);
    if (after >= 0) pairs.remove(right);
    symbols[left] = mergedSymbol;
    symbols[right] = -1;
    next[left] = after;
    if (after >= 0) previous[after] = left;
    if (before >= 0) pairs.add(before);
    if (after >= 0) pairs.add(left);
  }
  pair.places = [];
  pairs.queueChanged();
}

/** All distinct words, character by character, as linked lists in flat arrays. */
class SymbolText {
  readonly symbols: Int32Array;
  /** Place of the neighbouring symbol in the same word; -1 at the edge. */
  readonly next: Int32Array;
  readonly previous: Int32Array;
  /** How often the word at a place occurs. */
  readonly weights: Float64Array;
  readonly texts: string[] = [];
  readonly codes: number[][] = [];

  constructor(corpus: Corpus) {
    let size = 0;
    for (const word of corpus.words.keys()) size += word.length;
    this.symbols = new Int32Array(size).fill(-1);
    this.next = new Int32Array(size).fill(-1);
    this.previous = new Int32Array(size).fill(-1);
    this.weights = new Float64Array(size);
    const ids = new Map<string, number>();
    let at = 0;
    for (const [word, count] of corpus.words) {
      let first = true;
      for (const char of word) {
        let id = ids.get(char);
        if (id === undefined) {
          id = this.define([char.codePointAt(0) as number], char);
          ids.set(char, id);
        }
        this.symbols[at] = id;
        this.weights[at] = count;
        if (!first) {
          this.previous[at] = at - 1;
          this.next[at - 1] = at;
        }
        first = false;
        at++;
      }
    }
  }

  define(codes: number[], text: string): number {
    this.texts.push(text);
    this.codes.push(codes);
    return this.texts.length - 1;
  }
}

interface Pair {
  readonly left: number;
  readonly right: number;
  readonly text: string;
  readonly codes: number[];
  count: number;
  /** Places of the left symbol; may hold places where the pair no longer stands. */
  places: number[];
  done: boolean;
  changed: boolean;
}

/** Every pair that stands somewhere, its count, and a queue by rank. */
class PairTable {
  private readonly byKey = new Map<number, Pair | undefined>();
  private readonly isPiece: (codes: ArrayLike<number>) => boolean;
  private changed: Pair[] = [];
  /** A heap of (pair, count when queued); entries whose count is out of date are passed over. */
  private readonly heap: { pair: Pair; count: number }[] = [];

  constructor(
    private readonly text: SymbolText,
    options: ResolvedTrainOptions,
    private readonly forbiddenPieces: ReadonlySet<string>,
  ) {
    this.isPiece = makePieceRule(options);
  }

  /** Counts the pair that begins at a place. */
  add(at: number): void {
    const pair = this.at(at);
    if (pair === undefined || pair.done) return;
    pair.count += this.text.weights[at];
    pair.places.push(at);
    this.touch(pair);
  }

  remove(at: number): void {
    const pair = this.at(at);
    if (pair === undefined || pair.done) return;
    pair.count -= this.text.weights[at];
    this.touch(pair);
  }

  queueAll(): void {
    this.queueChanged();
  }

  queueChanged(): void {
    for (const pair of this.changed) {
      pair.changed = false;
      if (pair.count > 0) this.push({ pair, count: pair.count });
    }
    this.changed = [];
  }

  popBest(): Pair | undefined {
    while (this.heap.length > 0) {
      const { pair, count } = this.pop();
      if (!pair.done && pair.count === count) return pair;
    }
    return undefined;
  }

  private touch(pair: Pair): void {
    if (pair.changed) return;
    pair.changed = true;
    this.changed.push(pair);
  }

  private at(place: number): Pair | undefined {
    const { symbols, next, texts, codes } = this.text;
    const left = symbols[place];
    const right = symbols[next[place]];
    const key = left * 0x4000000 + right;
    if (this.byKey.has(key)) return this.byKey.get(key);
    let pair: Pair | undefined;
    const isUnknown = codes[left][0] === UNKNOWN_CODE || codes[right][0] === UNKNOWN_CODE;
    const joined = isUnknown ? [] : [...codes[left], ...codes[right]];
    const text = texts[left] + texts[right];
    if (!isUnknown && this.isPiece(joined) && !this.forbiddenPieces.has(text)) {
      pair = { left, right, text, codes: joined, count: 0, places: [], done: false, changed: false };
    }
    this.byKey.set(key, pair);
    return pair;
  }

  private push(entry: { pair: Pair; count: number }): void {
    const { heap } = this;
    let hole = heap.length;
    heap.push(entry);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!outranks(entry, heap[parent])) break;
      heap[hole] = heap[parent];
      hole = parent;
    }
    heap[hole] = entry;
  }

  private pop(): { pair: Pair; count: number } {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop() as { pair: Pair; count: number };
    if (heap.length === 0) return top;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && outranks(heap[child + 1], heap[child])) child++;
      if (outranks(last, heap[child])) break;
      heap[hole] = heap[child];
      hole = child;
    }
    heap[hole] = last;
    return top;
  }
}

function outranks(a: { pair: Pair; count: number }, b: { pair: Pair; count: number }): boolean {
  if (a.count !== b.count) return a.count > b.count;
  const lengths = a.pair.codes.length - b.pair.codes.length;
  return lengths !== 0 ? lengths < 0 : compareCodePoints(a.pair.text, b.pair.text) < 0;
}
