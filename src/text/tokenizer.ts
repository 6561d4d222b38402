// The interface of tokenizers. Loading one from a config is in load-tokenizer.ts; training one, in sentencepiece/train
// and wordpiece/train.

/** What every tokenizer can do, whatever is inside: NeMo's TokenizerSpec. */
export interface Tokenizer {
  /** Number of ids; the blank of a transducer or CTC model comes after them and is not counted. */
  readonly vocabSize: number;
  /** Token of each id. */
  readonly vocabulary: readonly string[];
  /** Ids of special tokens; -1 for one that does not exist. */
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  /**
   * Ids of a text, without special tokens around them.
   * @param lang of the text, which tokenizers of several languages need
   * @throws AnemoneError `text.language-needed`
   */
  textToIds(text: string, lang?: string): number[];
  /** Throws `text.id-out-of-range`. */
  idsToText(ids: Iterable<number>): string;
  /** The tokens of a text, as the vocabulary spells them. */
  textToTokens(text: string): string[];
  /** The text that tokens stand for. */
  tokensToText(tokens: readonly string[]): string;
  /** A token that does not exist gives the unknown id. Throws `text.unknown-token` where there is none. */
  tokensToIds(tokens: readonly string[]): number[];
  /** Throws `text.id-out-of-range`. */
  idsToTokens(ids: Iterable<number>): string[];
  /** The distinct characters of a text that the tokenizer cannot represent. */
  unknownCharacters(text: string, lang?: string): string[];
  /** Everything needed to make this tokenizer again, as files by name (what checkpoints store). */
  files(): ReadonlyMap<string, Uint8Array>;
}
