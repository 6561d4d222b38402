// Text files as one row of tokens, cut when the run begins: no preprocessing, and all of it in memory.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { AnemoneError, saidBy } from '../../errors/index.js';
import { parseJsonText } from '../../formats/index.js';

/** Tokens of documents one after the other, each with its end. */
export interface TokenSet {
  readonly tokens: Int32Array;
  /** Bytes of the texts in UTF-8, which the tokens stand for. */
  readonly bytes: number;
  readonly documents: number;
}

/** How texts become tokens. */
export interface TextTokens {
  readonly encode: (text: string) => ArrayLike<number>;
  /** Put after each document; undefined: nothing is. */
  readonly end: number | undefined;
  /** Of JSON lines, the key of the text. */
  readonly jsonKey: string;
}

/**
 * Reads .txt (each file is a document), .jsonl and .json (each line is one); with .gz as well.
 * @throws AnemoneError `data.text-file`, `data.no-text`
 */
export async function readTokenSet(paths: readonly string[], how: TextTokens): Promise<TokenSet> {
  const row = new GrowingRow();
  let bytes = 0;
  let documents = 0;
  const add = (text: string): void => {
    bytes += Buffer.byteLength(text);
    row.push(how.encode(text));
  };
  const end = (): void => {
    documents++;
    if (how.end !== undefined) row.push([how.end]);
  };
  for (const path of paths) {
    const isJson = /\.jsonl?(\.gz)?$/.test(path);
    let line = 0;
    for await (const text of linesOf(path)) {
      line++;
      if (!isJson) add(`${text}\n`);
      else if (text.trim() !== '') {
        const document = textOf(text, how.jsonKey, path, line);
        if (document === '') continue;
        add(document);
        end();
      }
    }
    if (!isJson && line > 0) end();
  }
  if (row.length === 0)
    throw new AnemoneError({ code: 'data.no-text', message: `there is no text in ${paths.join(', ')}` });
  return { tokens: row.take(), bytes, documents };
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const failure = new Promise<never>((_, reject) => file.once('error', reject));
  failure.catch(() => {});
  try {
    const stream = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
    // An error of the file ends no pipe: without this the loop would wait for ever.
    if (stream !== file) file.once('error', (error) => stream.destroy(error));
    const decoder = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    yield* decoder;
    await Promise.race([failure, Promise.resolve()]);
  } catch (cause) {
    throw new AnemoneError({
      code: 'data.text-file',
      position: { file: path },
      message: `the text cannot be read${saidBy(cause)}`,
      hint: 'data_prefix names .txt, .jsonl or .json files, each also as .gz',
      cause,
    });
  } finally {
    file.destroy();
  }
}

function textOf(json: string, key: string, file: string, line: number): string {
  const value = parseJsonText(json, { code: 'data.text-file', position: { file, line } }) as unknown;
  const text =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  if (typeof text === 'string') return text;
  throw new AnemoneError({
    code: 'data.text-file',
    position: { file, line },
    message: `a line must be a mapping with a text under "${key}"`,
    hint: 'set model.data.json_key for another key',
  });
}

/** Doubles its memory as it grows. */
class GrowingRow {
  length = 0;
  private data = new Int32Array(1 << 16);

  push(ids: ArrayLike<number>): void {
    const needed = this.length + ids.length;
    if (needed > this.data.length) {
      const larger = new Int32Array(Math.max(needed, 2 * this.data.length));
      larger.set(this.data.subarray(0, this.length));
      this.data = larger;
    }
    this.data.set(ids, this.length);
    this.length = needed;
  }

  take(): Int32Array {
    return this.data.slice(0, this.length);
  }
}
