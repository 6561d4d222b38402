// The tokenizer of models with `type: wpe`.
import { AnemoneError } from '../../errors/index.js';
import { decodeUtf8 } from '../../formats/index.js';
import type { Tokenizer } from '../tokenizer.js';
import { basicTokens } from './basic-tokens.js';

/** How texts are prepared before they are cut. */
export interface WordPieceOptions {
  /** Lower-case texts and strip their accents. Default false, as NeMo does (bert-base-cased). */
  readonly lowercase?: boolean;
}

const UNKNOWN = '[UNK]';
/** Special tokens. Those that a vocabulary lacks are added behind it, in this order. */
const SPECIAL = [UNKNOWN, '[SEP]', '[PAD]', '[CLS]', '[MASK]'] as const;
/** Longer words are unknown. */
const MAX_CHARACTERS = 100;

/**
 * WordPiece as in BERT (Schuster & Nakajima 2012, Devlin et al. 2019): each word is cut greedily into the longest
 * pieces of a vocabulary, pieces inside of words written with `##`. NeMo's `type: wpe`, which is Hugging Face's
 * BertTokenizer behind NeMo's AutoTokenizer.
 */
export class WordPieceTokenizer implements Tokenizer {
  readonly vocabulary: readonly string[];
  private readonly ids = new Map<string, number>();

  /** @param writtenTokens the vocabulary as its file has it, a token a line. Throws `tokenizer.bad-vocabulary`. */
  constructor(
    private readonly writtenTokens: readonly string[],
    private readonly options: WordPieceOptions = {},
  ) {
    if (writtenTokens.length === 0) throw badVocabulary('it is empty');
    const missingTokens = SPECIAL.filter((token) => !writtenTokens.includes(token));
    this.vocabulary = [...writtenTokens, ...missingTokens];
    this.vocabulary.forEach((token, id) => {
      if (this.ids.has(token)) throw badVocabulary(`the token ${JSON.stringify(token)} occurs twice`);
      this.ids.set(token, id);
    });
  }

  /**
   * The tokenizer of a `vocab.txt`.
   * @param file its name, for messages
   * @throws AnemoneError `text.not-utf8`
   */
  static fromBytes(
    bytes: Uint8Array,
    options: WordPieceOptions = {},
    file = 'vocab.txt',
  ): WordPieceTokenizer {
    const lines = decodeUtf8(bytes, file).split(/\r\n|\n|\r/);
    if (lines.at(-1) === '') lines.pop();
    return new WordPieceTokenizer(lines, options);
  }

  get vocabSize(): number {
    return this.vocabulary.length;
  }
  get unkId(): number {
    return this.id(UNKNOWN);
  }
  /** Id of `[CLS]`, which NeMo puts before a text. */
  get bosId(): number {
    return this.id('[CLS]');
  }
  /** Id of `[SEP]`, which NeMo puts after a text. */
  get eosId(): number {
    return this.id('[SEP]');
  }
  /** Id of `[PAD]`. */
  get padId(): number {
    return this.id('[PAD]');
  }

  /** Ids of a text's pieces; a word without pieces gives `[UNK]`. */
  textToIds(text: string): number[] {
    return this.tokensToIds(this.textToTokens(text));
  }

  /** Special tokens, the unknown one included, leave nothing behind, as in NeMo. */
  idsToText(ids: Iterable<number>): string {
    return this.tokensToText(this.idsToTokens(ids).filter((token) => !isSpecial(token)));
  }

  /** Special tokens that are written in the text stay whole. */
  textToTokens(text: string): string[] {
    return text
      .split(/(\[(?:UNK|SEP|PAD|CLS|MASK)\])/)
      .flatMap((part) =>
        isSpecial(part) ? [part] : basicTokens(part, this.basic).flatMap((word) => this.pieces(word)),
      );
  }

  tokensToText(tokens: readonly string[]): string {
    return tokens.join(' ').replaceAll(' ##', '').trim();
  }

  tokensToIds(tokens: readonly string[]): number[] {
    return tokens.map((token) => this.ids.get(token) ?? this.unkId);
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return Array.from(ids, (id) => {
      const token = this.vocabulary[id];
      if (token !== undefined) return token;
      throw new AnemoneError({
        code: 'text.id-out-of-range',
        message: `token id ${id} is not in the vocabulary of ${this.vocabSize}`,
      });
    });
  }

  /** Characters of unknown words that no piece has in their place: first in the word, or after others. */
  unknownCharacters(text: string): string[] {
    const unknownCharacters = new Set<string>();
    for (const word of basicTokens(text, this.basic)) {
      if (this.cut(word)) continue;
      [...word].forEach((character, i) => {
        if (!this.ids.has(i === 0 ? character : `##${character}`)) unknownCharacters.add(character);
      });
    }
    return [...unknownCharacters];
  }

  files(): ReadonlyMap<string, Uint8Array> {
    return new Map([['vocab.txt', new TextEncoder().encode(`${this.writtenTokens.join('\n')}\n`)]]);
  }

  private get basic() {
    return { lowercase: this.options.lowercase ?? false };
  }

  private id(token: string): number {
    return this.ids.get(token) as number;
  }

  private pieces(word: string): string[] {
    return this.cut(word) ?? [UNKNOWN];
  }

  /** The longest piece that fits, again and again; undefined when there comes to be none. */
  private cut(word: string): string[] | undefined {
    const characters = [...word];
    if (characters.length > MAX_CHARACTERS) return undefined;
    const pieces: string[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      const piece = () => (start > 0 ? '##' : '') + characters.slice(start, end).join('');
      while (end > start && !this.ids.has(piece())) end--;
      if (end === start) return undefined;
      pieces.push(piece());
      start = end;
    }
    return pieces;
  }
}

function isSpecial(token: string): boolean {
  return SPECIAL.some((special) => special === token);
}

function badVocabulary(problem: string): AnemoneError {
  return new AnemoneError({
    code: 'tokenizer.bad-vocabulary',
    path: 'vocab_path',
    message: `a WordPiece vocabulary that cannot be used: ${problem}`,
  });
}
