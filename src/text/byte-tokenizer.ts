// Every byte of the UTF-8 form of a text is a token: NeMo's ByteLevelTokenizer, with its special tokens after the bytes.
import { AnemoneError } from '../errors/index.js';
import type { Tokenizer } from './tokenizer.js';

const SPECIALS = ['<pad>', '<bos>', '<eos>'] as const;
const BYTES = 256;

/** The bytes of UTF-8 as tokens, and the special tokens behind them. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = BYTES + SPECIALS.length;
  readonly vocabulary: readonly string[] = [
    ...Array.from({ length: BYTES }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
    ...SPECIALS,
  ];
  readonly unkId = -1;
  readonly padId = BYTES;
  readonly bosId = BYTES + 1;
  readonly eosId = BYTES + 2;

  textToIds(text: string): number[] {
    return [...new TextEncoder().encode(text)];
  }

  /** Special tokens are left out; bytes that are no UTF-8 become U+FFFD. */
  idsToText(ids: Iterable<number>): string {
    const bytes = [...ids].map((id) => this.known(id)).filter((id) => id < BYTES);
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  textToTokens(text: string): string[] {
    return this.idsToTokens(this.textToIds(text));
  }

  tokensToText(tokens: readonly string[]): string {
    return this.idsToText(this.tokensToIds(tokens));
  }

  tokensToIds(tokens: readonly string[]): number[] {
    return tokens.map((token) => {
      const id = this.vocabulary.indexOf(token);
      if (id >= 0) return id;
      throw new AnemoneError({
        code: 'text.unknown-token',
        message: `there is no token ${JSON.stringify(token)}`,
      });
    });
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return [...ids].map((id) => this.vocabulary[this.known(id)]);
  }

  unknownCharacters(): string[] {
    return [];
  }

  files(): ReadonlyMap<string, Uint8Array> {
    return new Map();
  }

  private known(id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return id;
    throw new AnemoneError({ code: 'text.id-out-of-range', message: `there is no token ${id}` });
  }
}
