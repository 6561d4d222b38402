// The `added_tokens` of tokenizer.json: texts that are one token wherever they stand, cut out before anything else is done.
import type { JsonNode } from './json-node.js';

/** A text that is a token of its own. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out of decoded texts. */
  readonly special: boolean;
  /** Only where no letter or digit stands next to it. */
  readonly singleWord: boolean;
  /** Takes the white space before it, or after it, with it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for after normalisation. */
  readonly normalized: boolean;
}

export function addedTokenOf(node: JsonNode): AddedToken {
  const special = node.field('special').flag(false);
  return {
    id: node.field('id').count(),
    content: node.field('content').text(),
    special,
    singleWord: node.field('single_word').flag(false),
    lstrip: node.field('lstrip').flag(false),
    rstrip: node.field('rstrip').flag(false),
    normalized: node.field('normalized').flag(!special),
  };
}

const ENDS_WITH_WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const STARTS_WITH_WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE = /\p{White_Space}/u;

/** Finds added tokens in texts, the longest at each place. */
export class AddedTokenSplitter {
  /** Tokens by their first UTF-16 code, the longest first. */
  private readonly byStart = new Map<number, { readonly text: string; readonly token: AddedToken }[]>();
  private readonly starts = new Uint8Array(0x10000);

  /** @param write how a token's text is looked for, such as normalised */
  constructor(tokens: readonly AddedToken[], write: (text: string) => string = (text) => text) {
    for (const token of tokens) {
      const text = write(token.content);
      if (text === '') continue;
      const code = text.charCodeAt(0);
      this.starts[code] = 1;
      const alike = this.byStart.get(code);
      if (alike) alike.push({ text, token });
      else this.byStart.set(code, [{ text, token }]);
    }
    for (const list of this.byStart.values()) list.sort((a, b) => b.text.length - a.text.length);
  }

  /** Calls for each piece in order; `start` is its place in the text. */
  split(
    text: string,
    plain: (piece: string, start: number) => void,
    added: (token: AddedToken) => void,
  ): void {
    let done = 0;
    if (this.byStart.size > 0) {
      for (let at = 0; at < text.length; at++) {
        if (this.starts[text.charCodeAt(at)] === 0) continue;
        const found = this.byStart
          .get(text.charCodeAt(at))
          ?.find((candidate) => text.startsWith(candidate.text, at));
        if (!found) continue;
        const { token } = found;
        let [start, stop] = [at, at + found.text.length];
        at = stop - 1;
        if (token.singleWord && !standsAlone(text, start, stop)) continue;
        if (token.lstrip) while (start > done && SPACE.test(text[start - 1])) start--;
        if (token.rstrip) while (stop < text.length && SPACE.test(text[stop])) stop++;
        if (start > done) plain(text.slice(done, start), done);
        added(token);
        done = stop;
      }
    }
    if (done < text.length) plain(text.slice(done), done);
  }
}

function standsAlone(text: string, start: number, stop: number): boolean {
  const before = text.slice(Math.max(0, start - 2), start);
  return !ENDS_WITH_WORD.test(before) && !STARTS_WITH_WORD.test(text.slice(stop, stop + 2));
}
