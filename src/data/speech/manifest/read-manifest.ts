// Reads NeMo manifests: one JSON object a line, UTF-8. Tolerates a byte order mark, CRLF and blank lines;
// everything else is an error with file and line, collected over all files before it is thrown.
import { AnemoneError, AnemoneErrors, type SourcePosition } from '../../../errors/index.js';
import { readRegularFile } from '../../../formats/index.js';
import type { ManifestEntry } from './entry.js';
import { manifestFolder, type ParseOptions, parseEntry } from './parse-entry.js';

/** Bytes of one manifest. */
const MAX_BYTES = 2 ** 32;
/** Bytes of one line: a transcript may have 2^20, and other programs keep their own things beside it. */
const MAX_LINE = 16 * 2 ** 20;

/** Which keys are read, and how many mistakes are gathered before reading stops. */
export interface ReadOptions extends ParseOptions {
  /** Reading stops after this many mistakes. Default 50. */
  readonly maxErrors?: number;
}

/** The entries of manifests beside the mistakes in them. */
export interface ManifestContents {
  readonly entries: readonly ManifestEntry[];
  readonly errors: readonly AnemoneError[];
  /** Mistakes were more than `maxErrors`; the rest was not looked at. */
  readonly stopped: boolean;
}

/** A path, several separated by commas, or a list of either or of such lists, as `manifest_filepath` may be. */
export type ManifestSpec = string | readonly (string | readonly string[])[];

/** The files that a `manifest_filepath` names: commas separate files in a string, lists of lists are flattened. */
export function manifestFiles(spec: ManifestSpec): string[] {
  const list = typeof spec === 'string' ? [spec] : spec.flat();
  return list
    .flatMap((item) => item.split(','))
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/**
 * Entries of all files, in order.
 * @throws AnemoneErrors `data.manifest` with every mistake found; AnemoneError `data.no-manifest`,
 *   `data.manifest-missing`, `data.empty-manifest`
 */
export async function readManifests(spec: ManifestSpec, options: ReadOptions = {}): Promise<ManifestEntry[]> {
  const { entries, errors, stopped } = await scanManifests(spec, options);
  if (errors.length === 1) throw errors[0];
  if (errors.length > 0) {
    const moreText = stopped ? ' (and perhaps more: reading stopped there)' : '';
    throw new AnemoneErrors('data.manifest', `${errors.length} mistakes in the manifest${moreText}`, errors);
  }
  return [...entries];
}

/** As `readManifests`, but hands back entries and mistakes side by side. Missing files are mistakes too. */
export async function scanManifests(
  spec: ManifestSpec,
  options: ReadOptions = {},
): Promise<ManifestContents> {
  const files = manifestFiles(spec);
  const maxErrors = options.maxErrors ?? 50;
  const entries: ManifestEntry[] = [];
  const errors: AnemoneError[] = [];
  if (files.length === 0) {
    errors.push(
      new AnemoneError({
        code: 'data.no-manifest',
        message: 'no manifest is named',
        path: 'manifest_filepath',
      }),
    );
  }
  for (const file of files) {
    const before = entries.length + errors.length;
    await scanFile(file, options, entries, errors, maxErrors);
    if (errors.length >= maxErrors) return { entries, errors: errors.slice(0, maxErrors), stopped: true };
    if (entries.length + errors.length === before) {
      errors.push(
        new AnemoneError({
          code: 'data.empty-manifest',
          message: 'the manifest holds no utterances',
          position: { file },
          hint: 'write one JSON object a line with audio_filepath, duration and text',
        }),
      );
    }
  }
  return { entries, errors, stopped: false };
}

async function scanFile(
  file: string,
  options: ParseOptions,
  entries: ManifestEntry[],
  errors: AnemoneError[],
  maxErrors: number,
): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(file, { maxBytes: MAX_BYTES });
  } catch (cause) {
    if (!(cause instanceof AnemoneError)) throw cause;
    errors.push(unreadable(file, cause));
    return;
  }
  const base = manifestFolder(file);
  const before = entries.length + errors.length;
  let lineNumber = 0;
  for (const line of lines(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))) {
    lineNumber++;
    const position = { file, line: lineNumber };
    if (line === 'too long') {
      errors.push(
        new AnemoneError({
          code: 'data.manifest-line',
          message: `the line is longer than ${MAX_LINE / 2 ** 20} MiB`,
          position,
          hint: 'each line must be one complete JSON object, of one recording',
        }),
      );
    } else if (line === undefined) {
      errors.push(
        new AnemoneError({
          code: 'data.manifest-encoding',
          message: 'the line is not valid UTF-8',
          position,
          hint: 'convert the manifest to UTF-8',
        }),
      );
    } else if (line.text.trim() !== '') {
      const wholeFileError =
        entries.length + errors.length === before ? wholeFile(line.text, position) : undefined;
      if (wholeFileError) {
        errors.push(wholeFileError);
        return;
      }
      const result = parseEntry(line.text, base, position, options);
      if ('audioPath' in result) entries.push(result);
      else errors.push(...result);
    }
    if (errors.length >= maxErrors) return;
  }
}

/** What is wrong with a file whose first line begins a JSON value that spans all of them. */
function wholeFile(first: string, position: SourcePosition): AnemoneError | undefined {
  const text = first.trim();
  const isList = text.startsWith('[');
  if (!isList && text !== '{') return undefined;
  return new AnemoneError({
    code: 'data.manifest-json',
    message: isList ? 'the manifest is one JSON list' : 'the manifest is JSON that is spread over lines',
    position,
    hint: `write one object a line, such as with: jq -c ${isList ? "'.[]'" : '.'} ${position.file}`,
  });
}

/** Lines of a file one by one (a manifest may be longer than a string can be); undefined if not UTF-8. */
function* lines(bytes: Buffer): Generator<{ readonly text: string } | 'too long' | undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let start = bytes.length >= 3 && bytes.readUIntBE(0, 3) === 0xefbbbf ? 3 : 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(10, start);
    const end = newline === -1 ? bytes.length : newline;
    yield end - start > MAX_LINE ? 'too long' : decoded(decoder, bytes.subarray(start, end));
    start = end + 1;
  }
}

function decoded(
  decoder: { decode(bytes: Uint8Array): string },
  line: Uint8Array,
): { readonly text: string } | undefined {
  try {
    return { text: decoder.decode(line) };
  } catch {
    return undefined;
  }
}

function unreadable(file: string, cause: AnemoneError): AnemoneError {
  const isMissing = cause.code === 'file.missing';
  return new AnemoneError({
    code: isMissing ? 'data.manifest-missing' : 'data.manifest-unreadable',
    message: isMissing ? 'there is no such manifest' : `the manifest ${cause.reason}`,
    position: { file },
    hint: isMissing ? 'check manifest_filepath; relative paths start at the current folder' : undefined,
    cause,
  });
}
