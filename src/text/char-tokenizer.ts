// The tokenizer of models with a list of characters.
import { AnemoneError } from '../errors/index.js';
import type { Tokenizer } from './tokenizer.js';

/** Which labels have a special meaning. A token that is not given does not exist: its id is -1. */
export interface CharTokenizerOptions {
  /** A label that stands for every character outside the list; default none: they are dropped. */
  readonly unkToken?: string | undefined;
  readonly bosToken?: string;
  readonly eosToken?: string;
  readonly padToken?: string;
  /** Lower-case texts first; default false. */
  readonly lowercase?: boolean;
}

/**
 * One token a character, from a list of labels as in NeMo's `labels:`. Characters outside the list are dropped, as
 * NeMo does, unless one label is named as the unknown token.
 */
export class CharTokenizer implements Tokenizer {
  readonly vocabulary: readonly string[];
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  private readonly ids = new Map<string, number>();

  /** Special tokens that are not among the labels are added after them. Throws `tokenizer.bad-labels`. */
  constructor(
    labels: readonly string[],
    private readonly options: CharTokenizerOptions = {},
  ) {
    const allLabels = [...labels];
    const special = (token: string | undefined): number => {
      if (token === undefined) return -1;
      if (!allLabels.includes(token)) allLabels.push(token);
      return allLabels.indexOf(token);
    };
    this.unkId = special(options.unkToken);
    this.bosId = special(options.bosToken);
    this.eosId = special(options.eosToken);
    this.padId = special(options.padToken);
    if (allLabels.length === 0) throw badLabels('the list of labels is empty');
    allLabels.forEach((label, id) => {
      if (this.ids.has(label)) throw badLabels(`the label ${JSON.stringify(label)} occurs twice`);
      if (label === '') throw badLabels(`label ${id} is empty`);
      this.ids.set(label, id);
    });
    this.vocabulary = allLabels;
  }

  get vocabSize(): number {
    return this.vocabulary.length;
  }

  /** Ids of a text's characters. Those outside the list give the unknown id, or are dropped where there is none. */
  textToIds(text: string): number[] {
    const ids: number[] = [];
    for (const character of this.prepare(text)) {
      const id = this.ids.get(character) ?? this.unkId;
      if (id >= 0) ids.push(id);
    }
    return ids;
  }

  idsToText(ids: Iterable<number>): string {
    const hidden = new Set([this.bosId, this.eosId, this.padId]);
    return this.idsToTokens([...ids].filter((id) => !hidden.has(id))).join('');
  }

  textToTokens(text: string): string[] {
    return this.idsToTokens(this.textToIds(text));
  }

  tokensToText(tokens: readonly string[]): string {
    return this.idsToText(this.tokensToIds(tokens));
  }

  tokensToIds(tokens: readonly string[]): number[] {
    return tokens.map((token) => {
      const id = this.ids.get(token) ?? this.unkId;
      if (id < 0) {
        throw new AnemoneError({
          code: 'text.unknown-token',
          message: `${JSON.stringify(token)} is not a label of this tokenizer, and it has no unknown token`,
        });
      }
      return id;
    });
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return Array.from(ids, (id) => {
      const token = this.vocabulary[id];
      if (token === undefined) {
        throw new AnemoneError({
          code: 'text.id-out-of-range',
          message: `token id ${id} is not in the vocabulary of ${this.vocabSize}`,
        });
      }
      return token;
    });
  }

  unknownCharacters(text: string): string[] {
    return [...new Set(this.prepare(text))].filter((character) => !this.ids.has(character));
  }

  files(): ReadonlyMap<string, Uint8Array> {
    return new Map([['labels.json', new TextEncoder().encode(`${JSON.stringify(this.vocabulary)}\n`)]]);
  }

  private prepare(text: string): string {
    return this.options.lowercase ? text.toLowerCase() : text;
  }
}

function badLabels(message: string): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.bad-labels', path: 'labels', message });
}
