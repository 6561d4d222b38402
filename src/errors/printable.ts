// Text of files of strangers, safe to print: a terminal obeys control characters, and lines of others could pose
// as ours.

/** `text` in one line: control characters, line ends among them, as `\x1b`. */
export function printable(text: string): string {
  return escaped(text, /\p{Cc}/gu);
}

/** The same for text of several lines, whose line ends and tabs stay. */
export function printableLines(text: string): string {
  return escaped(text, /(?![\n\t])\p{Cc}/gu);
}

function escaped(text: string, what: RegExp): string {
  return text.replace(what, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
