// The tokenizer of models with a list of words.
import { AnemoneError } from '../errors/index.js';
import { CharTokenizer, type CharTokenizerOptions } from './char-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

/** One token a word: text is cut at white space and each word looked up in a list. */
export class WordTokenizer implements Tokenizer {
  /** A list of tokens with special ids is the same thing for words and characters. */
  private readonly list: CharTokenizer;

  /** Without an `unkToken`, words outside the list are dropped. Throws `tokenizer.bad-labels`. */
  constructor(
    words: readonly string[],
    private readonly options: CharTokenizerOptions = {},
  ) {
    const spaced = words.find((word) => /\s/u.test(word));
    if (spaced !== undefined) {
      throw new AnemoneError({
        code: 'tokenizer.bad-labels',
        path: 'vocab_path',
        message: `the word ${JSON.stringify(spaced)} holds white space`,
      });
    }
    this.list = new CharTokenizer(words, options);
  }

  get vocabSize(): number {
    return this.list.vocabSize;
  }
  get vocabulary(): readonly string[] {
    return this.list.vocabulary;
  }
  get unkId(): number {
    return this.list.unkId;
  }
  /** Id of the token that begins a text; -1 for none. */
  get bosId(): number {
    return this.list.bosId;
  }
  /** Id of the token that ends a text; -1 for none. */
  get eosId(): number {
    return this.list.eosId;
  }
  /** Id of the token that pads texts; -1 for none. */
  get padId(): number {
    return this.list.padId;
  }

  /** Ids of a text's words. Those outside the list give the unknown id, or are dropped where there is none. */
  textToIds(text: string): number[] {
    const knownWords = new Set(this.vocabulary);
    const words = this.words(text);
    return this.list.tokensToIds(this.unkId < 0 ? words.filter((word) => knownWords.has(word)) : words);
  }

  idsToText(ids: Iterable<number>): string {
    const hidden = new Set([this.bosId, this.eosId, this.padId]);
    return this.idsToTokens([...ids].filter((id) => !hidden.has(id))).join(' ');
  }

  textToTokens(text: string): string[] {
    return this.idsToTokens(this.textToIds(text));
  }

  tokensToText(tokens: readonly string[]): string {
    return this.idsToText(this.tokensToIds(tokens));
  }

  tokensToIds(tokens: readonly string[]): number[] {
    return this.list.tokensToIds(tokens);
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return this.list.idsToTokens(ids);
  }

  /** Characters of the words that are not in the list. */
  unknownCharacters(text: string): string[] {
    return [...new Set(this.unknownWords(text).join(''))];
  }

  /** The distinct words of a text that are not in the list. */
  unknownWords(text: string): string[] {
    const knownWords = new Set(this.vocabulary);
    return [...new Set(this.words(text).filter((word) => !knownWords.has(word)))];
  }

  files(): ReadonlyMap<string, Uint8Array> {
    return new Map([['vocab.txt', new TextEncoder().encode(`${this.vocabulary.join('\n')}\n`)]]);
  }

  private words(text: string): string[] {
    return (this.options.lowercase ? text.toLowerCase() : text).split(/\s+/u).filter((word) => word !== '');
  }
}
