// Text to the form SentencePiece segments: characters replaced by the model's compiled map, white space
// squeezed, "▁" (U+2581) put for spaces and before the first word. Follows the NormalizerSpec of a model;
// which rules a map holds is nfkc-rules.ts' business. Works on UTF-8 bytes, as the map does.
import type { SentencePieceNormalizerSpec } from '../../formats/index.js';
import { type CharsMap, readCharsMap } from './charsmap.js';
import type { DoubleArray } from './double-array.js';

/** "▁", which stands for a space inside pieces. */
export const SPACE_SYMBOL = '\u2581';
const spaceBytes = Uint8Array.of(0xe2, 0x96, 0x81);
const replacementBytes = Uint8Array.of(0xef, 0xbf, 0xbd);
const SPACE = 0x20;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export interface NormalizerOptions {
  /** The dummy "▁" goes after the text, not before. */
  readonly treatWhitespaceAsSuffix?: boolean;
  /** Symbols that pass through untouched. */
  readonly keep?: DoubleArray | undefined;
}

export class Normalizer {
  private readonly map: CharsMap | undefined;
  private readonly space: Uint8Array;
  private out = new Uint8Array(1024);
  private length = 0;
  // What `replace` found: `source[from, to)` is the replacement of `consumed` bytes.
  private source: Uint8Array = spaceBytes;
  private from = 0;
  private to = 0;
  private consumed = 0;

  constructor(
    private readonly spec: Readonly<SentencePieceNormalizerSpec>,
    private readonly options: NormalizerOptions = {},
  ) {
    this.map = readCharsMap(spec.precompiledCharsmap);
    this.space = spec.escapeWhitespaces ? spaceBytes : Uint8Array.of(SPACE);
  }

  normalize(text: string): string {
    return decoder.decode(this.normalizeToBytes(text));
  }

  /** UTF-8 bytes of the normalised text. The view is overwritten by the next call. */
  normalizeToBytes(text: string): Uint8Array {
    const input = encoder.encode(text);
    const { removeExtraWhitespaces, addDummyPrefix } = this.spec;
    const suffix = this.options.treatWhitespaceAsSuffix === true;
    this.length = 0;
    let at = 0;
    if (removeExtraWhitespaces) {
      while (at < input.length) {
        this.replace(input, at);
        if (this.to - this.from !== 1 || this.source[this.from] !== SPACE) break;
        at += this.consumed;
      }
    }
    if (at >= input.length) return this.out.subarray(0, 0);
    if (addDummyPrefix && !suffix) this.append(this.space, 0, this.space.length);
    let afterSpace = removeExtraWhitespaces;
    while (at < input.length) {
      this.replace(input, at);
      let { from } = this;
      const { source, to } = this;
      if (afterSpace) while (from < to && source[from] === SPACE) from++;
      if (from < to) {
        this.appendEscaped(source, from, to);
        afterSpace = source[to - 1] === SPACE;
      }
      if (!removeExtraWhitespaces) afterSpace = false;
      at += this.consumed;
    }
    if (removeExtraWhitespaces) while (this.endsWithSpace()) this.length -= this.space.length;
    if (addDummyPrefix && suffix) this.append(this.space, 0, this.space.length);
    return this.out.subarray(0, this.length);
  }

  /** Finds what stands for the text at `at`: a kept symbol, the longest rule's target, or the character. */
  private replace(input: Uint8Array, at: number): void {
    const { keep } = this.options;
    this.source = input;
    this.from = at;
    if (keep?.longestPrefix(input, at, input.length)) {
      this.consumed = keep.matchedLength;
      this.to = at + this.consumed;
    } else if (this.map?.trie.longestPrefix(input, at, input.length)) {
      const { targets, trie } = this.map;
      this.consumed = trie.matchedLength;
      this.source = targets;
      this.from = trie.matchedValue;
      this.to = this.from;
      while (this.to < targets.length && targets[this.to] !== 0) this.to++;
    } else {
      this.consumed = utf8Length(input[at]);
      this.to = at + this.consumed;
      if (this.to > input.length) {
        this.source = replacementBytes;
        this.from = 0;
        this.to = 3;
        this.consumed = 1;
      }
    }
  }

  private appendEscaped(source: Uint8Array, from: number, to: number): void {
    if (!this.spec.escapeWhitespaces) {
      this.append(source, from, to);
      return;
    }
    let start = from;
    for (let i = from; i < to; i++) {
      if (source[i] !== SPACE) continue;
      this.append(source, start, i);
      this.append(spaceBytes, 0, 3);
      start = i + 1;
    }
    this.append(source, start, to);
  }

  private append(source: Uint8Array, from: number, to: number): void {
    if (this.length + to - from > this.out.length) {
      const larger = new Uint8Array(Math.max(this.out.length * 2, this.length + to - from));
      larger.set(this.out.subarray(0, this.length));
      this.out = larger;
    }
    for (let i = from; i < to; i++) this.out[this.length++] = source[i];
  }

  private endsWithSpace(): boolean {
    const { space, out, length } = this;
    if (length < space.length) return false;
    for (let i = 0; i < space.length; i++) if (out[length - space.length + i] !== space[i]) return false;
    return true;
  }
}

/** Bytes of the UTF-8 character that begins with `lead` (1 for a stray trail byte). */
export function utf8Length(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
