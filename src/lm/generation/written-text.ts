// The text of tokens as they come: a character is shown when all its bytes are there, and a stop text is found wherever it
// begins.
import type { Tokenizer } from '../../text/index.js';

/** Tokens before the new ones that are decoded with them: what a piece means may depend on those before it. */
const CONTEXT = 6;
/** What stands for bytes that are no character, or not yet. */
const UNKNOWN = '\uFFFD';

/** The text of tokens that are added to others. */
export class WrittenText {
  private readonly ids: number[];
  /** Tokens from `start` on are decoded; the text of those before `known` has been taken. */
  private start: number;
  private known: number;
  private whole = '';

  constructor(
    private readonly tokenizer: Pick<Tokenizer, 'idsToText'>,
    prompt: readonly number[],
  ) {
    this.ids = [...prompt];
    this.known = prompt.length;
    this.start = Math.max(0, prompt.length - CONTEXT);
  }

  /** All that is certain. */
  get text(): string {
    return this.whole;
  }

  add(id: number): void {
    this.ids.push(id);
    const pending = this.pending;
    if (pending === '' || pending.endsWith(UNKNOWN)) return;
    this.whole += pending;
    this.start = this.known;
    this.known = this.ids.length;
  }

  /** What follows `text`, of which the last characters may yet change. */
  get pending(): string {
    const { tokenizer, ids, start, known } = this;
    const before = tokenizer.idsToText(ids.slice(start, known));
    const now = tokenizer.idsToText(ids.slice(start));
    return now.startsWith(before) ? now.slice(before.length) : tokenizer.idsToText(ids.slice(known));
  }
}

/** Where the first of `stops` begins in a text that had `known` characters when none was in it; -1: there is none. */
export function stopIn(text: string, stops: readonly string[], known: number): number {
  const found = stops
    .map((stop) => text.indexOf(stop, Math.max(0, known - stop.length + 1)))
    .filter((at) => at >= 0);
  return found.length > 0 ? Math.min(...found) : -1;
}

/** How many characters at the end of a text may be the beginning of a stop text. */
export function heldBack(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let count = Math.min(longest, text.length); count > 0; count--) {
    const end = text.slice(text.length - count);
    if (stops.some((stop) => stop.length > count && stop.startsWith(end))) return count;
  }
  return 0;
}
