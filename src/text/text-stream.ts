// A text that grows token by token, given out as whole characters.
import type { Tokenizer } from './tokenizer.js';

/** Tokens that are looked at again with each new one: what a piece means may depend on those before it. */
const WINDOW = 8;
/** Bytes of a character, so that what stays broken is no character. */
const LONGEST_CHARACTER = 4;

/**
 * Decodes token by token. Together, what `push` and `end` give is what the tokenizer makes of all tokens at once; a character
 * is never cut in two.
 */
export class TextStream {
  private readonly window: number[] = [];
  /** Tokens of the window whose text has been given out. */
  private shown = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  /** @returns what the token adds, which is nothing while a character is not whole */
  push(id: number): string {
    this.window.push(id);
    const added = this.added();
    const isBroken = added.endsWith('\uFFFD') && this.window.length - this.shown < LONGEST_CHARACTER;
    if (added === '' || isBroken) return '';
    this.shown = this.window.length;
    const surplus = this.shown - WINDOW;
    if (surplus > 0) {
      this.window.splice(0, surplus);
      this.shown -= surplus;
    }
    return added;
  }

  /** What is left: bytes that never became a character, as U+FFFD. */
  end(): string {
    const added = this.added();
    this.shown = this.window.length;
    return added;
  }

  private added(): string {
    const before = this.tokenizer.idsToText(this.window.slice(0, this.shown));
    return this.tokenizer.idsToText(this.window).slice(before.length);
  }
}
