// The one way from a JSON file to a typed value: parsed, its shape checked by a schema or format, else an
// AnemoneError that says where. For files of ours and of strangers alike; YAML has a reader of its own.
import { AnemoneError, type SourcePosition } from '../errors/index.js';
import { parseJsonText, readRegularFile } from '../formats/index.js';
import { CheckContext } from './schema/context.js';
import { type FormatSpec, formatOf, type ValueOf } from './schema/format.js';

/** What errors of a JSON text say, and how deep the text may nest. */
export interface JsonOptions {
  /** Code of errors of the text and its shape. */
  readonly code: string;
  readonly position: SourcePosition;
  /** What the text is, for messages. Default `the file`. */
  readonly what?: string;
  readonly hint?: string;
  /** How deep lists and objects may lie in one another. Default 64. */
  readonly maxDepth?: number;
}

/**
 * Parses JSON and checks it. Objects of a schema or `recordOf` have no prototype; what a format `any` or `mapping`
 * lets pass is as JSON.parse made it.
 * @throws AnemoneError `options.code`: no JSON, too deep, or of another shape; `details.errors` has every mistake
 */
export function parseJson<const F extends FormatSpec>(
  json: string | Uint8Array,
  format: F,
  options: JsonOptions,
): ValueOf<F> {
  const value = parseJsonText(json, options);
  const at = CheckContext.top([], options.position);
  const typedValue = formatOf(format).check(value, at);
  const [first, ...more] = at.problems;
  if (!first) return typedValue as ValueOf<F>;
  const { code, position, what = 'the file', hint } = options;
  const rest = more.length === 0 ? '' : ` (and ${more.length} more mistakes)`;
  throw new AnemoneError({
    code,
    message: `${what} is of another shape: ${first.reason}${rest}`,
    path: first.path,
    position,
    hint,
    details: { errors: at.problems },
  });
}

/** What errors of a JSON file say, and how large the file may be. */
export interface JsonFileOptions extends Omit<JsonOptions, 'position'> {
  /** Bytes the file may have. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Start of the codes for a file that cannot be read. Default `file`. */
  readonly prefix?: string;
}

const MAX_BYTES = 64 * 2 ** 20;

/**
 * Reads, parses and checks a JSON file.
 * @throws AnemoneError as `parseJson`, and `<prefix>.missing`, `<prefix>.unreadable`, `<prefix>.too-large`
 */
export async function readJson<const F extends FormatSpec>(
  path: string,
  format: F,
  { maxBytes = MAX_BYTES, prefix, ...options }: JsonFileOptions,
): Promise<ValueOf<F>> {
  const bytes = await readRegularFile(path, { maxBytes, prefix });
  return parseJson(bytes, format, { ...options, position: { file: path } });
}
