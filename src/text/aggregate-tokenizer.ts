// One tokenizer for several languages.
import { AnemoneError, didYouMean } from '../errors/index.js';
import { SPACE_SYMBOL } from './sentencepiece/normalizer.js';
import { SentencePieceTokenizer } from './sentencepiece/sentencepiece-tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

interface Member {
  readonly lang: string;
  readonly tokenizer: Tokenizer;
  /** First id. */
  readonly offset: number;
}

/**
 * Several monolingual tokenizers side by side, each with its own range of ids in the order given: NeMo's
 * AggregateTokenizer. Texts must say their language; ids know it.
 */
export class AggregateTokenizer implements Tokenizer {
  readonly vocabulary: readonly string[];
  /** There is one of each per language, not one for all. */
  readonly unkId: number = -1;
  readonly bosId: number = -1;
  readonly eosId: number = -1;
  readonly padId: number = -1;
  private readonly members: readonly Member[];

  /** Throws `tokenizer.bad-option` without members. */
  constructor(tokenizers: Iterable<readonly [string, Tokenizer]>) {
    const members: Member[] = [];
    let offset = 0;
    for (const [lang, tokenizer] of tokenizers) {
      members.push({ lang, tokenizer, offset });
      offset += tokenizer.vocabSize;
    }
    if (members.length === 0) {
      throw new AnemoneError({
        code: 'tokenizer.bad-option',
        path: 'tokenizer.langs',
        message: 'an aggregate tokenizer needs at least one language',
      });
    }
    this.members = members;
    this.vocabulary = members.flatMap(({ tokenizer }) => tokenizer.vocabulary);
  }

  get vocabSize(): number {
    return this.vocabulary.length;
  }

  /** The languages, in the order of their ranges of ids. */
  get langs(): readonly string[] {
    return this.members.map(({ lang }) => lang);
  }

  /** The tokenizer of a language. Throws `text.language-needed`. */
  tokenizerOf(lang: string): Tokenizer {
    return this.member(lang).tokenizer;
  }

  /**
   * Ids of a text, within the range of ids of its language.
   * @param lang may be left out when there is only one
   * @throws AnemoneError `text.language-needed`
   */
  textToIds(text: string, lang?: string): number[] {
    const { tokenizer, offset } = this.member(lang);
    return tokenizer.textToIds(text).map((id) => id + offset);
  }

  /**
   * Pieces of SentencePiece models one after the other, as in NeMo: an unknown piece is its name (`<unk>`), not the ` ⁇ `
   * of a single model. Unlike NeMo, bytes become characters and there is no space in front. Runs of other tokenizers
   * are decoded by them.
   */
  idsToText(ids: Iterable<number>): string {
    return this.runs(ids)
      .map(({ member: { tokenizer }, local }, i) =>
        tokenizer instanceof SentencePieceTokenizer
          ? joinPieces(tokenizer.idsToTokens(local))
          : `${i > 0 ? ' ' : ''}${tokenizer.idsToText(local)}`,
      )
      .join('')
      .replace(/^ /, '');
  }

  /**
   * Tokens of a text in the language `lang`.
   * @throws AnemoneError `text.language-needed`
   */
  textToTokens(text: string, lang?: string): string[] {
    return this.member(lang).tokenizer.textToTokens(text);
  }

  /**
   * The text of tokens of the language `lang`.
   * @param lang may be left out: pieces are then put together as `idsToText` does
   */
  tokensToText(tokens: readonly string[], lang?: string): string {
    if (lang === undefined && this.members.length > 1) return joinPieces(tokens).replace(/^ /, '');
    return this.member(lang).tokenizer.tokensToText(tokens);
  }

  tokensToIds(tokens: readonly string[], lang?: string): number[] {
    const { tokenizer, offset } = this.member(lang);
    return tokenizer.tokensToIds(tokens).map((id) => id + offset);
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return this.runs(ids).flatMap(({ member, local }) => member.tokenizer.idsToTokens(local));
  }

  /** Language of an id. Throws `text.id-out-of-range`. */
  langOf(id: number): string {
    return this.memberOfId(id).lang;
  }

  /** Where `lang` is left out, these are the characters that no member knows. */
  unknownCharacters(text: string, lang?: string): string[] {
    const members = lang === undefined ? this.members : [this.member(lang)];
    const lists = members.map(({ tokenizer }) => tokenizer.unknownCharacters(text));
    return lists[0].filter((character) => lists.every((list) => list.includes(character)));
  }

  /** Each language's files in a folder of its name. */
  files(): ReadonlyMap<string, Uint8Array> {
    const all = new Map<string, Uint8Array>();
    for (const { lang, tokenizer } of this.members) {
      for (const [name, bytes] of tokenizer.files()) all.set(`${lang}/${name}`, bytes);
    }
    return all;
  }

  private runs(ids: Iterable<number>): { member: Member; local: number[] }[] {
    const runs: { member: Member; local: number[] }[] = [];
    for (const id of ids) {
      const member = this.memberOfId(id);
      const last = runs.at(-1);
      if (last?.member === member) last.local.push(id - member.offset);
      else runs.push({ member, local: [id - member.offset] });
    }
    return runs;
  }

  private memberOfId(id: number): Member {
    const member = this.members.findLast(({ offset }) => id >= offset);
    if (member === undefined || id >= this.vocabSize) {
      throw new AnemoneError({
        code: 'text.id-out-of-range',
        message: `token id ${id} is not in the vocabulary of ${this.vocabSize}`,
      });
    }
    return member;
  }

  private member(lang: string | undefined): Member {
    if (lang === undefined && this.members.length === 1) return this.members[0];
    const member = this.members.find((candidate) => candidate.lang === lang);
    if (member === undefined) {
      throw new AnemoneError({
        code: 'text.language-needed',
        message:
          lang === undefined
            ? 'an aggregate tokenizer needs the language of each text'
            : `this tokenizer has no language "${lang}"`,
        hint:
          (lang === undefined ? undefined : didYouMean(lang, this.langs)) ??
          `give \`lang\` (with the text, or in the manifest): one of ${this.langs.join(', ')}`,
      });
    }
    return member;
  }
}

/** Pieces of SentencePiece, or of WordPiece within a word, as text; the byte pieces of a character together. */
function joinPieces(pieces: readonly string[]): string {
  return pieces
    .map((piece, i) => (i > 0 && piece.startsWith('##') ? piece.slice(2) : piece))
    .join('')
    .replaceAll(SPACE_SYMBOL, ' ')
    .replace(/(?:<0x[0-9A-F]{2}>)+/g, (bytes) =>
      new TextDecoder().decode(
        Uint8Array.from(bytes.match(/[0-9A-F]{2}/g) ?? [], (hex) => Number(`0x${hex}`)),
      ),
    );
}
