// What a model type does: cut normalised text into pieces with ids. One small interface, so that the
// processor need not know which of the four types it holds; also the two types that need no search.
import type { PieceTable } from './piece-table.js';
import { splitIntoWords } from './words.js';

/** A run of the normalised text and its id (the unknown id where the vocabulary has no such piece). */
export interface Segment {
  readonly text: string;
  readonly id: number;
}

export interface Segmenter {
  /** @param bytes normalised text in UTF-8, not empty */
  segment(bytes: Uint8Array): Segment[];
}

export const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** One piece a character (or a user-defined symbol). */
export class CharSegmenter implements Segmenter {
  constructor(private readonly table: PieceTable) {}

  segment(bytes: Uint8Array): Segment[] {
    return splitIntoSymbols(bytes, this.table).map(({ text }) => ({ text, id: this.table.id(text) }));
  }
}

/** One piece a word. */
export class WordSegmenter implements Segmenter {
  constructor(private readonly table: PieceTable) {}

  segment(bytes: Uint8Array): Segment[] {
    return splitIntoWords(utf8Decoder.decode(bytes)).map((text) => ({ text, id: this.table.id(text) }));
  }
}

/** Characters, except that a user-defined symbol stays whole (`frozen`). */
export function splitIntoSymbols(bytes: Uint8Array, table: PieceTable): { text: string; frozen: boolean }[] {
  const { userDefined } = table;
  if (userDefined === undefined) {
    return Array.from(utf8Decoder.decode(bytes), (text) => ({ text, frozen: false }));
  }
  const symbols: { text: string; frozen: boolean }[] = [];
  let plainFrom = 0;
  const flush = (to: number): void => {
    for (const text of utf8Decoder.decode(bytes.subarray(plainFrom, to)))
      symbols.push({ text, frozen: false });
  };
  for (let at = 0; at < bytes.length; ) {
    if (userDefined.longestPrefix(bytes, at, bytes.length)) {
      flush(at);
      const end = at + userDefined.matchedLength;
      symbols.push({ text: utf8Decoder.decode(bytes.subarray(at, end)), frozen: true });
      at = end;
      plainFrom = end;
    } else at++;
  }
  flush(bytes.length);
  return symbols;
}
