// Byte-pair encoding over bytes (Sennrich et al. 2016; Radford et al. 2019, GPT-2): a text is cut into words, the bytes of each
// are written as visible characters, and pairs are merged in the order in which they were learned.
import { AnemoneError } from '../../errors/index.js';
import type { Tokenizer } from '../tokenizer.js';

/** What such a tokenizer is made of. */
export interface ByteBpeModel {
  /** Token of each id, its bytes written as characters (`Ġ` is a space). */
  readonly vocabulary: readonly string[];
  /** Pairs in the order in which they are merged, as `a b`. */
  readonly merges: readonly string[];
  /** Tokens that stand for themselves wherever they are written in a text. */
  readonly specials?: readonly string[];
  /** Whether each digit is a word. Default false. */
  readonly splitsDigits?: boolean;
  readonly bos?: string | undefined;
  readonly eos?: string | undefined;
  readonly pad?: string | undefined;
  readonly unk?: string | undefined;
}

/** GPT-2's words. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
/** Words that are kept with their pieces: a text is made of few. */
const MOST_CACHED = 100_000;

/** GPT-2's table: bytes that print stand for themselves, the others for characters from U+0100 on. */
const CHARACTERS: readonly string[] = (() => {
  const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();
const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]));

/** Byte-level BPE (Radford et al. 2019): text is cut by a pattern, and the bytes of each piece are merged by rank. */
export class ByteBpeTokenizer implements Tokenizer {
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  private readonly ids: ReadonlyMap<string, number>;
  private readonly ranks: ReadonlyMap<string, number>;
  private readonly special: RegExp | undefined;
  private readonly cache = new Map<string, readonly number[]>();

  constructor(
    private readonly model: ByteBpeModel,
    private readonly source: ReadonlyMap<string, Uint8Array> = new Map(),
  ) {
    this.ids = new Map(model.vocabulary.map((token, id) => [token, id]));
    this.ranks = new Map(model.merges.map((pair, rank) => [pair, rank]));
    const specials = [...(model.specials ?? [])].sort((a, b) => b.length - a.length);
    const quoted = specials.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    this.special = quoted.length > 0 ? new RegExp(`(${quoted.join('|')})`, 'u') : undefined;
    const idOf = (token: string | undefined): number =>
      token === undefined ? -1 : (this.ids.get(token) ?? -1);
    [this.unkId, this.bosId, this.eosId, this.padId] = [model.unk, model.bos, model.eos, model.pad].map(idOf) as [number, number, number, number]; // biome-ignore format: one line
  }

  get vocabSize(): number {
    return this.model.vocabulary.length;
  }

  get vocabulary(): readonly string[] {
    return this.model.vocabulary;
  }

  textToIds(text: string): number[] {
    const parts = this.special ? text.split(this.special) : [text];
    return parts.flatMap((part, i) => (i % 2 === 1 ? [this.ids.get(part) as number] : this.plainIds(part)));
  }

  /** Special tokens are left out; bytes that are no UTF-8 become U+FFFD. */
  idsToText(ids: Iterable<number>): string {
    const specials = new Set(this.model.specials);
    const tokens = this.idsToTokens(ids).filter((token) => !specials.has(token));
    const bytes = [...tokens.join('')].map((character) => BYTES.get(character) ?? 63);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
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
      if (id >= 0) return id;
      throw new AnemoneError({
        code: 'text.unknown-token',
        message: `there is no token ${JSON.stringify(token)}`,
      });
    });
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return [...ids].map((id) => {
      const token = this.model.vocabulary[id];
      if (token !== undefined) return token;
      throw new AnemoneError({ code: 'text.id-out-of-range', message: `there is no token ${id}` });
    });
  }

  unknownCharacters(): string[] {
    return [];
  }

  files(): ReadonlyMap<string, Uint8Array> {
    return this.source;
  }

  private plainIds(text: string): number[] {
    const pieces = this.model.splitsDigits ? text.split(/(\p{N})/u) : [text];
    return pieces.flatMap((piece) => piece.match(WORDS) ?? []).flatMap((word) => this.wordIds(word));
  }

  private wordIds(word: string): readonly number[] {
    const known = this.cache.get(word);
    if (known) return known;
    const symbols = [...new TextEncoder().encode(word)].map((byte) => CHARACTERS[byte]);
    const ids = this.tokensToIds(this.merged(symbols));
    if (this.cache.size < MOST_CACHED) this.cache.set(word, ids);
    return ids;
  }

  /** The pair that was learned first is merged, everywhere, until none is left. */
  private merged(symbols: readonly string[]): readonly string[] {
    let current = symbols;
    while (current.length > 1) {
      let [best, first] = [Number.POSITIVE_INFINITY, -1];
      for (let i = 0; i + 1 < current.length; i++) {
        const rank = this.ranks.get(`${current[i]} ${current[i + 1]}`) ?? Number.POSITIVE_INFINITY;
        if (rank < best) [best, first] = [rank, i];
      }
      if (first < 0) break;
      const [a, b] = [current[first], current[first + 1]];
      const next: string[] = [];
      for (let i = 0; i < current.length; i++) {
        const isPair = current[i] === a && current[i + 1] === b;
        next.push(isPair ? a + b : current[i]);
        if (isPair) i++;
      }
      current = next;
    }
    return current;
  }
}
