// A text that grows token by token, given out as whole characters.
import type { Tokenizer } from './tokenizer.js';

/** Tokens after which bytes that make no character are given out as they are: as U+FFFD. */
const LONGEST_BROKEN = 64;

/**
 * Decodes token by token. Together, what `push` and `end` give is what the tokenizer makes of all tokens at once; a character
 * is never cut in two.
 */
export class TextStream {
  /** Tokens since the last but one place where a character ended: what a piece means may depend on the one before it. */
  private window: number[] = [];
  /** Tokens of the window up to the last such place. */
  private boundary = 0;
  /** Characters of the window's text that have been given out. */
  private given = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  /** Takes the next token. @returns what the token adds, which is nothing while a character is not whole */
  push(id: number): string {
    this.window.push(id);
    const text = this.tokenizer.idsToText(this.window);
    const isStuck = this.window.length - this.boundary > LONGEST_BROKEN;
    const whole = isStuck ? text : text.replace(/\uFFFD+$/u, '');
    const added = whole.slice(this.given);
    if (added === '') return '';
    this.given = whole.length;
    if (whole.length === text.length) {
      this.window = this.window.slice(this.boundary);
      this.boundary = this.window.length;
      this.given = this.tokenizer.idsToText(this.window).length;
    }
    return added;
  }

  /** What is left: bytes that never became a character, as U+FFFD. */
  end(): string {
    const text = this.tokenizer.idsToText(this.window);
    const added = text.slice(this.given);
    this.given = text.length;
    return added;
  }
}
