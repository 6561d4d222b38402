// Documents of text files, in parts that fit in memory: .txt, where the file is one document, and JSON lines, where each line
// is one; each also as .gz. Text is UTF-8, or it is refused with its line.
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { AnemoneError, saidBy } from '../../errors/index.js';
import { parseJsonText } from '../../formats/index.js';

/** A part of a document. */
export interface TextPart {
  /** Key of the text in JSON lines; the first of the keys for .txt. */
  readonly key: string;
  readonly text: string;
  /** Whether the document ends with it. */
  readonly ends: boolean;
  /** Bytes of the file that have been read so far, compressed where it is. */
  readonly read: number;
}

/** How files are read. */
export interface DocumentOptions {
  /** Keys of texts in JSON lines. Default `text`. */
  readonly jsonKeys?: readonly string[];
  /** Characters of a part, about; JSON lines are not cut. Default 2^20. */
  readonly partLength?: number;
  readonly signal?: AbortSignal | undefined;
}

const PART = 2 ** 20;
/** Of a line of JSON, in characters: as long as a string can be, less what reading it takes. */
const MOST_LINE = 2 ** 28;

/**
 * The parts of all documents of a file, in order. Empty documents are left out. Ends of lines of .txt become `\n`.
 * @throws AnemoneError `data.text-file`, `text.not-utf8`
 */
export async function* documentParts(path: string, options: DocumentOptions = {}): AsyncGenerator<TextPart> {
  const { jsonKeys = ['text'] } = options;
  if (isJsonLines(path)) yield* jsonDocuments(path, jsonKeys, options.signal);
  else yield* plainDocument(path, jsonKeys[0], options);
}

/** Whether each line of a file of this name is a document. */
export function isJsonLines(path: string): boolean {
  return /\.(jsonl?|ndjson)(\.gz)?$/.test(path);
}

async function* plainDocument(path: string, key: string, options: DocumentOptions): AsyncGenerator<TextPart> {
  const { partLength = PART, signal } = options;
  let held = '';
  let read = 0;
  let isAny = false;
  for await (const chunk of decodedChunks(path, signal)) {
    isAny ||= chunk.text !== '';
    // A \r at the end may be the first half of an end of line.
    const whole = held + chunk.text;
    const end = whole.endsWith('\r') ? whole.length - 1 : whole.length;
    held = whole.slice(0, end).replace(/\r\n?/g, '\n') + whole.slice(end);
    read = chunk.read;
    while (held.length > partLength + 1) {
      const cut = placeToCut(held, partLength);
      if (cut < 0) break;
      yield { key, text: held.slice(0, cut), ends: false, read };
      held = held.slice(cut);
    }
  }
  if (!isAny) return;
  const rest = held.replace(/\r\n?/g, '\n');
  yield { key, text: rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`, ends: true, read };
}

/**
 * Where tokenizers begin a word whatever their pattern, near `most`: a space between two letters. -1 where there is none.
 */
function placeToCut(text: string, most: number): number {
  const isPlace = (at: number): boolean =>
    text[at] === ' ' && isLetter(text, at + 1) && isLetter(text, at - 1);
  for (let at = most; at > most >> 1; at--) if (isPlace(at)) return at;
  for (let at = most + 1; at + 1 < text.length; at++) if (isPlace(at)) return at;
  return -1;
}

function isLetter(text: string, at: number): boolean {
  return /\p{L}/u.test(text[at] ?? '');
}

async function* jsonDocuments(
  path: string,
  keys: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<TextPart> {
  let held = '';
  let line = 0;
  let lastRead = 0;
  for await (const { text, read } of decodedChunks(path, signal)) {
    const lines = (held + text).split('\n');
    held = lines.pop() as string;
    lastRead = read;
    if (held.length > MOST_LINE) throw refused(path, `a line of JSON has more than ${MOST_LINE} characters`, line + 1); // biome-ignore format: one line
    for (const json of lines) yield* partsOfLine(json, ++line, read);
  }
  yield* partsOfLine(held, line + 1, lastRead);

  function* partsOfLine(json: string, number: number, read: number): Generator<TextPart> {
    if (json.trim() === '') return;
    const value = parseJsonText(json, { code: 'data.text-file', position: { file: path, line: number } });
    for (const key of keys) {
      const text = textUnder(value, key, path, number);
      if (text !== '') yield { key, text, ends: true, read };
    }
  }
}

function textUnder(value: unknown, key: string, file: string, line: number): string {
  const isOwn = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
  const text = isOwn ? (value as Record<string, unknown>)[key] : undefined;
  if (typeof text === 'string') return text;
  throw new AnemoneError({
    code: 'data.text-file',
    position: { file, line },
    message: `a line must be a mapping with a text under "${key}"`,
    hint: 'set model.data.json_key, or --json-keys, for another key',
  });
}

interface Chunk {
  readonly text: string;
  readonly read: number;
}

/** The file's text in pieces as they are read, without a byte order mark. */
async function* decodedChunks(path: string, signal?: AbortSignal): AsyncGenerator<Chunk> {
  const file = createReadStream(path, { highWaterMark: 2 ** 18, ...(signal && { signal }) });
  const stream = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  // An error of the file ends no pipe: without this the loop would wait for ever.
  if (stream !== file) file.once('error', (error) => stream.destroy(error));
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 1;
  const decoded = (bytes?: Uint8Array): string => {
    let text: string;
    try {
      text = bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      throw notUtf8(path, bytes, lines);
    }
    const zero = text.indexOf('\0');
    if (zero >= 0)
      throw refused(path, 'is no text: it has a zero byte', lines + countLines(text.slice(0, zero)));
    lines += countLines(text);
    return text;
  };
  try {
    for await (const bytes of stream as AsyncIterable<Uint8Array>) yield { text: decoded(bytes), read: file.bytesRead }; // biome-ignore format: one line
    yield { text: decoded(), read: file.bytesRead };
  } catch (cause) {
    if (cause instanceof AnemoneError || signal?.aborted) throw cause;
    throw new AnemoneError({
      code: 'data.text-file',
      position: { file: path },
      message:
        (cause as NodeJS.ErrnoException).code === 'ENOENT'
          ? 'the text cannot be read: there is no such file'
          : `the text cannot be read${saidBy(cause)}`,
      hint: 'give .txt, .jsonl or .json files, each also as .gz',
      cause,
    });
  } finally {
    file.destroy();
  }
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

function notUtf8(file: string, bytes: Uint8Array | undefined, firstLine: number): AnemoneError {
  let line = firstLine;
  if (bytes) {
    const lenient = new TextDecoder().decode(bytes);
    const bad = lenient.indexOf('\uFFFD');
    line += countLines(lenient.slice(0, Math.max(0, bad)));
  }
  return new AnemoneError({
    code: 'text.not-utf8',
    position: { file, line },
    message: 'is not UTF-8',
    hint: 'save it as UTF-8, for example with iconv -f ISO-8859-1 -t UTF-8',
  });
}

function refused(file: string, message: string, line: number): AnemoneError {
  return new AnemoneError({ code: 'data.text-file', position: { file, line }, message });
}
