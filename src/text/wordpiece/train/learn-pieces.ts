// Learning a WordPiece vocabulary from counted words, as Hugging Face's WordPieceTrainer does: again and again the most
// frequent pair of neighbouring pieces becomes one (of equals the pair that is older in the vocabulary). What counts as
// a word is not decided here.
import { type Merge, MergeQueue } from './merge-queue.js';

/** Stands before a piece inside of a word. */
const PREFIX = '##';

export interface LearnOptions {
  /** Pieces are added until there are so many; the alphabet is always whole. */
  readonly vocabSize: number;
  /** A pair must occur so often. */
  readonly minFrequency: number;
  /** Characters that are kept, the most frequent ones. */
  readonly limitAlphabet: number;
  /** First in the vocabulary. */
  readonly specialTokens: readonly string[];
  /**
   * Characters inside of words in the order they get their ids. Default: by code point. Hugging Face's order is that of
   * a hash table, new in each run, and decides which of equally frequent pairs come first.
   */
  readonly continuations?: readonly string[];
}

/** words: how often each occurs → the vocabulary, in the order of its ids. */
export function learnPieces(words: ReadonlyMap<string, number>, options: LearnOptions): string[] {
  const vocabulary = new Vocabulary(options.specialTokens);
  const alphabet = new Set(keptCharacters(words, options.limitAlphabet));
  for (const character of alphabet) vocabulary.id(character);
  const inside = options.continuations ?? charactersInside(words, alphabet);
  for (const character of inside) vocabulary.id(PREFIX + character);
  const texts = [...words].map(([word, count]) => ({ pieces: spelled(word, alphabet, vocabulary), count }));
  const queue = new MergeQueue();
  for (const [i, { pieces, count }] of texts.entries()) {
    for (let at = 1; at < pieces.length; at++) queue.change(pieces[at - 1], pieces[at], count, i);
  }
  queue.flush();
  while (vocabulary.tokens.length < options.vocabSize) {
    const merge = queue.pop();
    if (!merge || merge.count < Math.max(1, options.minFrequency)) break;
    const [left, right] = [vocabulary.tokens[merge.left], vocabulary.tokens[merge.right]];
    const mergedId = vocabulary.id(left + (right.startsWith(PREFIX) ? right.slice(PREFIX.length) : right));
    for (const i of merge.words) mergeIn(texts[i].pieces, merge, mergedId, texts[i].count, i, queue);
    queue.flush();
  }
  return vocabulary.tokens;
}

class Vocabulary {
  readonly tokens: string[] = [];
  private readonly ids = new Map<string, number>();

  constructor(tokens: readonly string[]) {
    for (const token of tokens) this.id(token);
  }

  /** Id of a token, which is added to the vocabulary if it is not there yet. */
  id(token: string): number {
    const knownId = this.ids.get(token);
    if (knownId !== undefined) return knownId;
    this.ids.set(token, this.tokens.length);
    return this.tokens.push(token) - 1;
  }
}

/** The most frequent characters by code point; of equally rare ones the higher go. */
function keptCharacters(words: ReadonlyMap<string, number>, limit: number): string[] {
  const counts = new Map<string, number>();
  for (const [word, count] of words) for (const c of word) counts.set(c, (counts.get(c) ?? 0) + count);
  return [...counts]
    .sort(([a, m], [b, n]) => n - m || codePoint(a) - codePoint(b))
    .slice(0, limit)
    .map(([character]) => character)
    .sort((a, b) => codePoint(a) - codePoint(b));
}

/** Characters of the alphabet that occur inside a word, behind others. */
function charactersInside(words: ReadonlyMap<string, number>, alphabet: ReadonlySet<string>): string[] {
  const foundCharacters = new Set<string>();
  for (const word of words.keys()) {
    const [, ...rest] = word;
    for (const character of rest) if (alphabet.has(character)) foundCharacters.add(character);
  }
  return [...foundCharacters].sort((a, b) => codePoint(a) - codePoint(b));
}

/** A word's characters as ids; those outside the alphabet are passed over. */
function spelled(word: string, alphabet: ReadonlySet<string>, vocabulary: Vocabulary): number[] {
  return [...word].flatMap((character, i) =>
    alphabet.has(character) ? [vocabulary.id(i === 0 ? character : PREFIX + character)] : [],
  );
}

/** Replaces the pair wherever `pieces` has it, from left to right, and tells the queue which pairs came and went. */
function mergeIn(
  pieces: number[],
  { left, right }: Merge,
  mergedId: number,
  count: number,
  word: number,
  queue: MergeQueue,
): void {
  for (let at = 0; at + 1 < pieces.length; at++) {
    if (pieces[at] !== left || pieces[at + 1] !== right) continue;
    if (at > 0) {
      queue.change(pieces[at - 1], left, -count, word);
      queue.change(pieces[at - 1], mergedId, count, word);
    }
    if (at + 2 < pieces.length) {
      queue.change(right, pieces[at + 2], -count, word);
      queue.change(mergedId, pieces[at + 2], count, word);
    }
    pieces.splice(at, 2, mergedId);
  }
}

const codePoint = (character: string): number => character.codePointAt(0) as number;
