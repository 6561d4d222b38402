// Cutting normalised text ("▁the▁cat") into words, each with its "▁". Used by the word model and by the
// trainers, for which no piece reaches across words.
import { SPACE_SYMBOL } from './normalizer.js';

export interface WordSplitOptions {
  /** Words carry their "▁" at the end. */
  readonly treatWhitespaceAsSuffix?: boolean;
  /** Runs of "▁" stay together as a word of their own beginning. */
  readonly allowWhitespaceOnlyPieces?: boolean;
}

export function splitIntoWords(text: string, options: WordSplitOptions = {}): string[] {
  if (text === '') return [];
  const { treatWhitespaceAsSuffix = false, allowWhitespaceOnlyPieces = false } = options;
  const words: string[] = [];
  let start = 0;
  const cut = (at: number): void => {
    if (at > start) words.push(text.slice(start, at));
    start = at;
  };
  for (let i = 0; i < text.length; i++) {
    const isSpace = text[i] === SPACE_SYMBOL;
    const afterSpace = i > 0 && text[i - 1] === SPACE_SYMBOL;
    if (treatWhitespaceAsSuffix) {
      if (afterSpace && !(allowWhitespaceOnlyPieces && isSpace)) cut(i);
    } else if (isSpace && !(allowWhitespaceOnlyPieces && afterSpace)) cut(i);
  }
  cut(text.length);
  return words;
}
