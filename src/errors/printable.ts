// Text of files of strangers, safe to print: a terminal obeys control characters, lines of others could pose as ours,
// and signs that turn the direction of writing show another text than there is. Everything printed goes through here.

/** Controls (C0, DEL, C1), line and paragraph separators, and what changes the direction of writing. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const UNSAFE_IN_LINES = /(?![\n\t])[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** `text` in one line: what a terminal would obey, line ends among it, as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** The same for text of several lines, whose line ends and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE_IN_LINES, visible);
}

/** Characters of a line that somebody reads. A name in a file of a stranger's may have millions. */
const MAX_LINE = 4000;
/** Characters of the end of a long line that stay, for the advice stands there. */
const TAIL = 500;

/** Such text for what is told beside results: its lines are shortened in their middle where nobody would read them. */
export function readableLines(text: string): string {
  return printableLines(text).split('\n').map(shortened).join('\n');
}

function shortened(line: string): string {
  if (line.length <= MAX_LINE) return line;
  const omittedCount = line.length - MAX_LINE;
  return `${line.slice(0, MAX_LINE - TAIL)} … (${omittedCount} characters left out) … ${line.slice(-TAIL)}`;
}

/** JSON text with such signs as escapes of JSON, which mean the same to whoever parses it. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE_IN_LINES, (sign) => `\\u${hex(sign, 4)}`);
}

function visible(sign: string): string {
  return sign.charCodeAt(0) < 256 ? `\\x${hex(sign, 2)}` : `\\u${hex(sign, 4)}`;
}

function hex(sign: string, width: number): string {
  return sign.charCodeAt(0).toString(16).padStart(width, '0');
}
