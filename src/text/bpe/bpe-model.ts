// Byte-pair encoding of a word, over bytes (Radford et al. 2019) or over characters (Sennrich et al. 2016) with bytes for the
// unknown ones, as Hugging Face's BPE does it.
import type { IdBuffer } from '../id-buffer.js';
import { BYTE_CHARACTERS, bytesAsCharacters } from './byte-alphabet.js';
import { mergeSymbols } from './merging.js';
import type { PairTable } from './pair-table.js';

/** What a BPE is made of. */
export interface BpeParts {
  /** Id of each token. */
  readonly ids: ReadonlyMap<string, number>;
  readonly merges: PairTable;
  /** Words are cut into the bytes of their UTF-8, which the vocabulary writes as characters (`Ġ` is a space). */
  readonly overBytes: boolean;
  /** Stands for characters that have no token; without one they vanish. */
  readonly unknown?: number | undefined;
  /** One unknown token for neighbours. */
  readonly fusesUnknown?: boolean;
  /** Unknown characters become `<0xE2>` and its like. */
  readonly fallsToBytes?: boolean;
  /** A word that is a token is it, whatever the merges say. */
  readonly wordsFirst?: boolean;
  /** Before each symbol of a word but its first. */
  readonly prefix?: string;
  /** After the last symbol of a word. */
  readonly suffix?: string;
}

/** Words that are kept with their ids: texts are made of few. */
const MOST_CACHED = 200_000;
/** Longer words do not come again. */
const LONGEST_CACHED = 256;
/** Up to so many characters a substring is a copy, and longer ones would keep the text that they come from. */
const COPIED = 12;

const encoder = new TextEncoder();

export class BpeModel {
  private readonly cache = new Map<string, number | Int32Array>();
  private readonly byteIds: Int32Array;
  private symbols = new Int32Array(256);
  private readonly isPlain: boolean;

  constructor(private readonly parts: BpeParts) {
    const name = (byte: number): string =>
      parts.overBytes ? BYTE_CHARACTERS[byte] : `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    this.byteIds = Int32Array.from({ length: 256 }, (_, byte) => parts.ids.get(name(byte)) ?? -1);
    this.isPlain = parts.overBytes && !parts.prefix && !parts.suffix && !this.byteIds.includes(-1);
  }

  encode(word: string, out: IdBuffer): void {
    const known = this.cache.get(word);
    if (known !== undefined) {
      if (typeof known === 'number') out.push(known);
      else out.pushAll(known);
      return;
    }
    const count = this.compute(word);
    const ids = this.symbols.subarray(0, count);
    out.pushAll(ids);
    if (word.length > LONGEST_CACHED || this.cache.size >= MOST_CACHED) return;
    const key = word.length > COPIED ? Buffer.from(word, 'utf16le').toString('utf16le') : word;
    this.cache.set(key, count === 1 ? ids[0] : ids.slice());
  }

  /** Leaves the ids in `symbols`. @returns how many */
  private compute(word: string): number {
    const { overBytes, wordsFirst, ids, merges, prefix = '', suffix = '' } = this.parts;
    // A UTF-16 unit has at most three bytes.
    const most = 3 * (word.length * (1 + prefix.length) + suffix.length) + 8;
    if (this.symbols.length < most) this.symbols = new Int32Array(2 * most);
    if (wordsFirst) {
      const whole = ids.get(overBytes ? bytesAsCharacters(word) : word);
      if (whole !== undefined) {
        this.symbols[0] = whole;
        return 1;
      }
    }
    const count = this.isPlain ? this.bytesOf(word) : this.charactersOf(word);
    return mergeSymbols(this.symbols, count, merges);
  }

  private bytesOf(word: string): number {
    const { symbols, byteIds } = this;
    let isAscii = true;
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      if (code > 127) {
        isAscii = false;
        break;
      }
      symbols[i] = byteIds[code];
    }
    if (isAscii) return word.length;
    const bytes = encoder.encode(word);
    for (const [i, byte] of bytes.entries()) symbols[i] = byteIds[byte];
    return bytes.length;
  }

  private charactersOf(word: string): number {
    const { ids, overBytes, unknown, fusesUnknown, fallsToBytes, prefix = '', suffix = '' } = this.parts;
    const { symbols } = this;
    const text = overBytes ? bytesAsCharacters(word) : word;
    let count = 0;
    let wasUnknown = false;
    for (let at = 0; at < text.length; ) {
      const character = String.fromCodePoint(text.codePointAt(at) as number);
      const symbol =
        (at > 0 ? prefix : '') + character + (at + character.length === text.length ? suffix : '');
      at += character.length;
      const id = ids.get(symbol);
      const bytes = id === undefined && fallsToBytes ? this.fallbackOf(symbol) : undefined;
      const isUnknown = id === undefined && bytes === undefined;
      if (id !== undefined) symbols[count++] = id;
      else if (bytes) for (const byte of bytes) symbols[count++] = byte;
      else if (unknown !== undefined && !(fusesUnknown && wasUnknown)) symbols[count++] = unknown;
      wasUnknown = isUnknown;
    }
    return count;
  }

  /** Ids of the bytes; undefined where one has none. */
  private fallbackOf(symbol: string): number[] | undefined {
    const ids = [...encoder.encode(symbol)].map((byte) => this.byteIds[byte]);
    return ids.includes(-1) ? undefined : ids;
  }
}
