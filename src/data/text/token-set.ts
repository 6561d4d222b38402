// Text files as one row of tokens, cut when the run begins: no preprocessing, and all of it in memory.
import { AnemoneError } from '../../errors/index.js';
import { IdBuffer } from '../../text/index.js';
import { documentParts } from './documents.js';

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
  const row = new IdBuffer();
  let bytes = 0;
  let documents = 0;
  for (const path of paths)
    for await (const { text, ends } of documentParts(path, { jsonKeys: [how.jsonKey] })) {
      bytes += Buffer.byteLength(text);
      row.pushAll(how.encode(text));
      if (!ends) continue;
      documents++;
      if (how.end !== undefined) row.push(how.end);
    }
  if (row.length === 0)
    throw new AnemoneError({ code: 'data.no-text', message: `there is no text in ${paths.join(', ')}` });
  return { tokens: row.view().slice(), bytes, documents };
}
