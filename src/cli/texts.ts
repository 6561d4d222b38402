// Texts of a file: .txt is one, of .jsonl and .json each line is one, under `text`.
import { gunzipSync } from 'node:zlib';

/** @throws AnemoneError `cli.texts`, `file.*`, `text.*` */
export async function readTexts(file: string): Promise<readonly string[]> {
  const { AnemoneError } = await import('../errors/index.js');
  const { decodeUtf8, parseJsonText, readRegularFile } = await import('../formats/index.js');
  const wrong = (message: string, line?: number) =>
    new AnemoneError({
      code: 'cli.texts',
      message,
      position: { file, ...(line === undefined ? {} : { line }) },
    });
  let bytes: Uint8Array = await readRegularFile(file);
  if (file.endsWith('.gz')) {
    try {
      bytes = gunzipSync(bytes);
    } catch (cause) {
      throw wrong(`it cannot be unpacked: ${(cause as Error).message}`);
    }
  }
  const text = decodeUtf8(bytes, file);
  if (!/\.jsonl?(\.gz)?$/.test(file)) {
    if (text === '') throw wrong('there is no text in the file');
    return [text];
  }
  const texts: string[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const position = { file, line: i + 1 };
    const value = parseJsonText(new TextEncoder().encode(line), {
      code: 'cli.texts',
      position,
      what: 'the line',
    });
    const own = (value as Readonly<Record<string, unknown>> | null)?.['text'];
    if (typeof own !== 'string') throw wrong('expected a text under "text"', i + 1);
    if (own !== '') texts.push(own);
  }
  if (texts.length === 0) throw wrong('there is no text in the file');
  return texts;
}
