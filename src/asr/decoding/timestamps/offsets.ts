// Where tokens, words and segments are, in encoder frames, as NeMo counts them. Seconds are the transcript's.

/** A piece of text from frame `start` to frame `end`. */
export interface Offset {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface TokenOffset extends Offset {
  /** The token as the vocabulary has it, `▁the`; `text` is it by itself, `the`. */
  readonly token: string;
}

export interface DecodedTokens {
  readonly tokens: readonly string[];
  /** Each token turned into text by itself. */
  readonly texts: readonly string[];
  /** Frame at which each token was emitted. */
  readonly frames: readonly number[];
  /** TDT: frames each token lasts. */
  readonly durations?: readonly number[] | undefined;
}

/**
 * `tdt`: from the token's frame on for its duration; punctuation lies at the end of the token before it. `rnnt`: the
 * one frame. `ctc`: NeMo counts a token from where the one before it began to where it begins itself (the first
 * from the frame before it), and punctuation as no time at its start.
 */
export function tokenOffsets(
  { tokens, texts, frames, durations = [] }: DecodedTokens,
  kind: 'rnnt' | 'tdt' | 'ctc',
  punctuation: ReadonlySet<string>,
): TokenOffset[] {
  const result: TokenOffset[] = [];
  tokens.forEach((token, i) => {
    const text = texts[i];
    const frame = frames[i];
    const isMark = i > 0 && text !== '' && punctuation.has(kind === 'tdt' ? text : [...text][0]);
    const place = (start: number, end: number): number => result.push({ token, text, start, end });
    if (kind === 'rnnt') place(frame, frame + 1);
    else if (kind === 'tdt') {
      const before = isMark ? result[i - 1].end : frame;
      place(before, isMark ? before : frame + (durations[i] ?? 0));
    } else {
      const start = i === 0 ? Math.max(0, frame - 1) : frames[i - 1];
      place(start, isMark ? start : frame);
    }
  });
  return result;
}

export interface WordOptions {
  /** Token between words. */
  readonly separator: string;
  readonly punctuation: ReadonlySet<string>;
  /** Tokens are of WordPiece: those inside of words begin with `##`. Default false. */
  readonly wordPieces?: boolean;
  /** Turns the tokens of a word into its text. */
  readonly join: (tokens: readonly string[]) => string;
}

/** Words: a token with a mark of its own (`▁`) or the separator begins one; punctuation belongs to the word before. */
export function wordOffsets(tokens: readonly TokenOffset[], options: WordOptions): Offset[] {
  const { separator, punctuation, join } = options;
  const words: { text: string; start: number; end: number }[] = [];
  let builtTokens: string[] = [];
  let first = 0;
  const begins = (i: number): boolean =>
    options.wordPieces && separator === ' '
      ? tokens[i].text !== '' && !tokens[i].text.startsWith('##')
      : beginsWord(tokens, i, separator, punctuation);
  const finish = (last: number): void => {
    words.push({ text: join(builtTokens), start: tokens[first].start, end: tokens[last].end });
  };
  tokens.forEach(({ token, text, end }, i) => {
    const isMark = punctuation.has(text) && text !== separator;
    if (begins(i) && !isMark) {
      if (builtTokens.length > 0) finish(i - 1);
      builtTokens = [];
      if (text !== separator) {
        builtTokens.push(token);
        first = i;
      }
    } else if (isMark && builtTokens.length === 0 && words.length > 0) {
      const last = words[words.length - 1];
      last.end = end;
      last.text = `${last.text.endsWith(' ') ? last.text.slice(0, -1) : last.text}${text}`;
    } else if (isMark && builtTokens.length > 0) {
      if ([' ', '_', '▁'].includes(builtTokens[builtTokens.length - 1])) builtTokens.pop();
      builtTokens.push(token);
    } else {
      if (builtTokens.length === 0) first = i;
      builtTokens.push(token);
    }
  });
  if (words.length === 0) {
    if (builtTokens.length > 0) words.push({ text: join(builtTokens), start: tokens[0].start, end: tokens[tokens.length - 1].end }); // biome-ignore format: one line reads better
    return words;
  }
  words[0].start = tokens[0].start;
  if (builtTokens.length > 0) finish(tokens.length - 1);
  return words;
}

function beginsWord(
  tokens: readonly TokenOffset[],
  i: number,
  separator: string,
  punctuation: ReadonlySet<string>,
): boolean {
  const { token, text } = tokens[i];
  if (separator !== ' ') return text === separator;
  if (token !== text) return true;
  if (text !== separator) return false;
  const next = tokens.slice(i + 1).find((later) => later.text !== separator && later.text !== '');
  return next === undefined || !punctuation.has(next.text);
}

export interface SegmentOptions {
  /** Words that end with one of these end a segment. */
  readonly separators: readonly string[];
  /** Frames between words that end a segment too; then separators do not count. */
  readonly gap: number | null;
}

export function segmentOffsets(words: readonly Offset[], { separators, gap }: SegmentOptions): Offset[] {
  const segments: Offset[] = [];
  let openOffsets: Offset[] = [];
  const finish = (): void => {
    if (openOffsets.length === 0) return;
    const text = openOffsets.map((word) => word.text).join(' ');
    segments.push({ text, start: openOffsets[0].start, end: openOffsets[openOffsets.length - 1].end });
    openOffsets = [];
  };
  for (const word of words) {
    if (gap !== null && openOffsets.length > 0) {
      // NeMo looks at the gap alone here, except at the first word of a segment.
      if (word.start - openOffsets[openOffsets.length - 1].end >= gap) finish();
      openOffsets.push(word);
      continue;
    }
    openOffsets.push(word);
    const last = [...word.text].at(-1) ?? '';
    if (separators.includes(last) || separators.includes(word.text)) finish();
  }
  finish();
  return segments;
}

/** The punctuation marks of a vocabulary: those in its tokens, but for special ones and those that begin words. */
export function vocabularyPunctuation(vocabulary: readonly string[]): Set<string> {
  const special = /^\[.*\]$|^<.*>$|^##|^▁|^\s*$/;
  const marks = vocabulary
    .filter((token) => !special.test(token))
    .flatMap((token) => [...token].filter((character) => /\p{P}/u.test(character)));
  return new Set(marks);
}
