// Text files are UTF-8, with or without a byte order mark. What is not is refused with its line: read as UTF-8 all the
// same, it would lose letters without a word.
import { AnemoneError } from '../errors/index.js';

const HINT = 'save it as UTF-8, for example with iconv -f';

/**
 * The text, without its byte order mark.
 * @param file name for messages
 * @throws AnemoneError `text.not-utf8`
 */
export function decodeUtf8(bytes: Uint8Array, file: string): string {
  const fault = (message: string, from: string, line?: number) =>
    new AnemoneError({
      code: 'text.not-utf8',
      message,
      position: { file, line },
      hint: `${HINT} ${from} -t UTF-8`,
    });
  if (isUtf16(bytes)) throw fault('is UTF-16 and not UTF-8', 'UTF-16');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault('is not UTF-8', 'ISO-8859-1', badLine(bytes));
  }
  const zero = text.indexOf('\0');
  if (zero < 0) return text;
  const line = text.slice(0, zero).split('\n').length;
  throw fault('is not UTF-8 text: it has a zero byte', 'UTF-16LE', line);
}

/** Whether a byte order mark says so, as that of PowerShell's `>`. */
export function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}

/** The first line that is not valid by itself; no character reaches over a line's end. */
function badLine(bytes: Uint8Array): number | undefined {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
  }
  return undefined;
}
