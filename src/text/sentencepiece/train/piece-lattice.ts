// The training text of a unigram model with, at every place, the candidate pieces that begin there. Since
// candidates are nodes of the text's suffix tree, those at a place form a chain from the longest up, so no
// dictionary is needed: removing candidates only shortens chains.
import type { Corpus } from './corpus.js';
import type { ResolvedTrainOptions } from './options.js';
import { byCount } from './order.js';
import { makePieceRule, UNKNOWN_CODE } from './piece-rules.js';
import { repeatedSubstrings, sortSuffixes } from './suffix-array.js';

/** Symbols: what stands behind a word (line end, another word of either kind), then the characters. */
const ENDS = 3;

export class PieceLattice {
  /** Symbols of all distinct words, each followed by an end. */
  private readonly text: Int32Array;
  private readonly codes: Int32Array;
  /** Words to segment: place, length, how often. */
  readonly wordAt: Int32Array;
  readonly wordLength: Int32Array;
  readonly wordCount: Float64Array;

  // Candidates. Those of one character come first.
  readonly pieceAt: Int32Array;
  readonly pieceLength: Int32Array;
  /** What a candidate counts for at first: occurrences × length. */
  readonly weight: Float64Array;
  readonly alive: Uint8Array;
  private readonly parent: Int32Array;
  /** Longest live candidate of two or more characters at each place, -1 for none. */
  private readonly longest: Int32Array;
  /** Candidate of each symbol alone; -1 for the unknown character and ends. */
  private readonly single: Int32Array;

  constructor(corpus: Corpus, options: ResolvedTrainOptions, forbiddenPieces: ReadonlySet<string>) {
    const entries = layOut(corpus, options.treatWhitespaceAsSuffix);
    const symbolOf = new Map<number, number>();
    const codeOf: number[] = new Array<number>(ENDS).fill(0);
    let size = 0;
    for (const { codes } of entries) size += codes.length + 1;
    const text = new Int32Array(size);
    const codes = new Int32Array(size);
    const weights = new Float64Array(size);
    const words = entries.filter(({ total }) => total > 0);
    this.wordAt = new Int32Array(words.length);
    this.wordLength = Int32Array.from(words, (word) => word.codes.length);
    this.wordCount = Float64Array.from(words, (word) => word.total);
    let at = 0;
    let word = 0;
    for (const entry of entries) {
      if (entry.total > 0) this.wordAt[word++] = at;
      for (const code of entry.codes) {
        let symbol = symbolOf.get(code);
        if (symbol === undefined) {
          symbol = codeOf.length;
          codeOf.push(code);
          symbolOf.set(code, symbol);
        }
        codes[at] = code;
        weights[at] = entry.count;
        text[at++] = symbol;
      }
      text[at++] = entry.end;
    }
    this.text = text;
    this.codes = codes;

    // Candidates of one character: every character of the text, frequent ones first.
    const firstAt = new Map<number, number>();
    const counts = new Map<string, number>();
    for (let i = 0; i < size; i++) {
      if (text[i] < ENDS || codes[i] === UNKNOWN_CODE) continue;
      const character = String.fromCodePoint(codes[i]);
      counts.set(character, (counts.get(character) ?? 0) + weights[i]);
      if (!firstAt.has(text[i])) firstAt.set(text[i], i);
    }
    const singles = byCount(counts).filter(([character]) => !forbiddenPieces.has(character));
    this.single = new Int32Array(codeOf.length).fill(-1);
    singles.forEach(([character], id) => {
      this.single[symbolOf.get(character.codePointAt(0) as number) as number] = id;
    });

    // Longer ones: repeated substrings that may be pieces, the weightiest if there are too many.
    const { maxSentencePieceLength: maxLength } = options;
    const order = sortSuffixes(text, codeOf.length, maxLength + 2);
    const repeated = repeatedSubstrings(text, order, maxLength, (symbol) => symbol < ENDS);
    const sums = new Float64Array(size + 1);
    for (let i = 0; i < size; i++) sums[i + 1] = sums[i] + weights[order[i]];
    const isPiece = makePieceRule(options);
    const scoreOf = (i: number): number =>
      (sums[repeated.to[i]] - sums[repeated.from[i]]) * repeated.length[i];
    let chosenPieces: number[] = [];
    for (let i = 0; i < repeated.at.length; i++) {
      const candidate = codes.subarray(repeated.at[i], repeated.at[i] + repeated.length[i]);
      if (!candidate.includes(0) && isPiece(candidate)) chosenPieces.push(i);
    }
    if (forbiddenPieces.size > 0) {
      chosenPieces = chosenPieces.filter(
        (i) => !forbiddenPieces.has(this.textAt(repeated.at[i], repeated.length[i])),
      );
    }
    chosenPieces.sort((a, b) => scoreOf(b) - scoreOf(a) || a - b);
    chosenPieces.length = Math.min(chosenPieces.length, options.seedSentencePieceSize);

    const total = singles.length + chosenPieces.length;
    this.alive = new Uint8Array(total).fill(1);
    this.parent = new Int32Array(total).fill(-1);
    this.pieceAt = new Int32Array(total);
    this.pieceLength = new Int32Array(total).fill(1);
    this.weight = new Float64Array(total);
    singles.forEach(([character, count], id) => {
      const symbol = symbolOf.get(character.codePointAt(0) as number) as number;
      this.pieceAt[id] = firstAt.get(symbol) as number;
      this.weight[id] = count;
    });
    this.longest = new Int32Array(size).fill(-1);
    const byLength = chosenPieces.map((_, k) => k);
    byLength.sort((a, b) => repeated.length[chosenPieces[a]] - repeated.length[chosenPieces[b]]);
    for (const k of byLength) {
      const i = chosenPieces[k];
      const id = singles.length + k;
      this.pieceAt[id] = repeated.at[i];
      this.pieceLength[id] = repeated.length[i];
      this.weight[id] = scoreOf(i);
      this.parent[id] = this.longest[repeated.at[i]];
      for (let j = repeated.from[i]; j < repeated.to[i]; j++) this.longest[order[j]] = id;
    }
  }

  get pieceCount(): number {
    return this.alive.length;
  }

  piece(id: number): string {
    return this.textAt(this.pieceAt[id], this.pieceLength[id]);
  }

  /** Longest live candidate at a place, then `shorter` until -1; the single character is not among them. */
  longestAt(at: number): number {
    return this.longest[at];
  }

  shorter(id: number): number {
    return this.parent[id];
  }

  /** The live candidate that is the character at a place, or -1. */
  singleAt(at: number): number {
    const id = this.single[this.text[at]];
    return id >= 0 && this.alive[id] ? id : -1;
  }

  /** Call after clearing `alive` entries: shortens the chains. */
  dropDead(): void {
    const { parent, alive, longest } = this;
    const living = (id: number): number => {
      let at = id;
      while (at >= 0 && !alive[at]) at = parent[at];
      return at;
    };
    for (let id = 0; id < parent.length; id++) if (alive[id]) parent[id] = living(parent[id]);
    for (let at = 0; at < longest.length; at++) longest[at] = living(longest[at]);
  }

  private textAt(at: number, length: number): string {
    let text = '';
    for (let i = at; i < at + length; i++) text += String.fromCodePoint(this.codes[i]);
    return text;
  }
}

interface Entry {
  readonly codes: readonly number[];
  /** Occurrences with this end. */
  readonly count: number;
  readonly end: number;
  /** Occurrences in all, given at one of a word's entries; 0 at the others. */
  readonly total: number;
}

/** A word once for every kind of thing that follows it, since a substring branches only where what follows differs. */
function layOut(corpus: Corpus, isSuffixed: boolean): Entry[] {
  const entries: Entry[] = [];
  for (const [word, total] of byCount(corpus.words)) {
    const codes = Array.from(word, (character) => character.codePointAt(0) as number);
    const atLineEnd = corpus.finals.get(word) ?? 0;
    const within = total - atLineEnd;
    const parts: [number, number][] = [
      [0, atLineEnd],
      [1, within],
    ];
    // Where "▁" stands behind the word, other words follow directly and nearly always differ.
    if (isSuffixed) parts.splice(1, 1, [1, Math.ceil(within / 2)], [2, Math.floor(within / 2)]);
    let remainingWeight = total;
    for (const [end, count] of parts) {
      if (count === 0) continue;
      entries.push({ codes, count, end, total: remainingWeight });
      remainingWeight = 0;
    }
  }
  return entries;
}
