// JSON text to a value of unknown shape, with errors that say where. Shapes are checked by whoever knows them
// (config/json.ts for files of other folders).
import { AnemoneError, type SourcePosition } from '../errors/index.js';

/** What errors of a JSON text say, and how deep the text may nest. */
export interface JsonTextOptions {
  /** Code of the error. */
  readonly code: string;
  /** Where the text stands. A text of one line has the line it is in its file, others count from line 1. */
  readonly position: SourcePosition;
  /** What the text is, for messages. Default `the file`. */
  readonly what?: string;
  readonly hint?: string;
  /** How deep lists and objects may lie in one another. Default 64. */
  readonly maxDepth?: number;
}

const MAX_DEPTH = 64;

/**
 * Parses UTF-8 bytes or text; a byte order mark is passed over. A key `__proto__` is a key like any other: copy
 * objects key by key into maps or objects without a prototype.
 * @throws AnemoneError of the code that `options` gives
 */
export function parseJsonText(json: string | Uint8Array, options: JsonTextOptions): unknown {
  const text = typeof json === 'string' ? json.replace(/^\uFEFF/, '') : decode(json, options);
  checkDepth(text, options);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { message } = cause as Error;
    // The place that V8's message names stands in the error's position.
    const reason = message.replace(/ (in JSON )?at position .*$/s, '');
    throw failure(options, `is not JSON: ${reason}`, placeOf(text, message, options.position), cause);
  }
}

function decode(bytes: Uint8Array, options: JsonTextOptions): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw failure(options, 'is not valid UTF-8', options.position, cause);
  }
}

/** Deep values are small to write down and overflow the stack of everything that walks through them. */
function checkDepth(text: string, options: JsonTextOptions): void {
  const { maxDepth = MAX_DEPTH } = options;
  if (text.length <= maxDepth) return;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const sign = text.charCodeAt(i);
    if (sign === 0x22) i = endOfString(text, i);
    else if (sign === 0x5b || sign === 0x7b) {
      depth++;
      if (depth > maxDepth) {
        const position = placeAt(text, i, options.position);
        throw failure(options, `nests more than ${maxDepth} lists and objects`, position);
      }
    } else if (sign === 0x5d || sign === 0x7d) depth--;
  }
}

/** The place of the quotation mark that ends a string; the text's end where there is none. Searching is faster than looking at each sign. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let before = at;
    while (text.charCodeAt(before - 1) === 0x5c) before--;
    if ((at - before) % 2 === 0) return at;
  }
}

/** The place at which V8 found the mistake. V8 names it for long texts and for texts that are cut off. */
function placeOf(text: string, message: string, position: SourcePosition): SourcePosition {
  const offset = /at position (\d+)/.exec(message)?.[1];
  if (offset !== undefined) return placeAt(text, Number(offset), position);
  return message.includes('end of JSON') ? placeAt(text, text.length, position) : position;
}

function placeAt(text: string, offset: number, position: SourcePosition): SourcePosition {
  const before = text.slice(0, offset).split('\n');
  const line = before.length + (position.line ?? 1) - 1;
  return { file: position.file, line, column: before[before.length - 1].length + 1 };
}

function failure(
  { code, what = 'the file', hint }: JsonTextOptions,
  problem: string,
  position: SourcePosition,
  cause?: unknown,
): AnemoneError {
  return new AnemoneError({ code, message: `${what} ${problem}`, position, hint, cause });
}
