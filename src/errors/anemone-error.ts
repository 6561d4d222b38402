// Errors as data: a code, where it happened, what was expected. Text comes second.
// Every mistake a user can make ends in one of these; the CLI prints them and exits with `exitCode`.
import { printable } from './printable.js';

/** A place in a text file, 1-based. */
export interface SourcePosition {
  readonly file: string;
  readonly line?: number | undefined;
  readonly column?: number;
}

/** What an error is made of. `code` and `message` are always there; give the others where they are known. */
export interface AnemoneErrorFields {
  /** Stable machine-readable name, e.g. `config.unknown-key`, `audio.truncated`. */
  readonly code: string;
  /** What is wrong, one sentence, no trailing period. In one line: line ends in it are shown as `\x0a`. */
  readonly message: string;
  /** What is to be said in lines of their own below the sentence, indented as they shall be. */
  readonly lines?: readonly string[] | undefined;
  /** Dotted config path or tensor/parameter name the error is about. */
  readonly path?: string | undefined;
  readonly position?: SourcePosition | undefined;
  /** What to do about it, one sentence. */
  readonly hint?: string | undefined;
  /** Further facts for programs (sizes, names, near misses). */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The base of every expected error. `exitCode` 2 means "the user can fix this". */
export class AnemoneError extends Error {
  readonly code: string;
  /** What is wrong, without the place, the lines and the hint that `message` has too. */
  readonly reason: string;
  readonly lines: readonly string[];
  readonly path: string | undefined;
  readonly position: SourcePosition | undefined;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly exitCode: number = 2;

  constructor(fields: AnemoneErrorFields) {
    super(formatError(fields), fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'AnemoneError';
    this.code = fields.code;
    this.reason = printable(fields.message);
    this.lines = fields.lines ?? [];
    this.path = fields.path;
    this.position = fields.position;
    this.hint = fields.hint;
    this.details = fields.details ?? {};
  }
}

/** Errors that a message lists; a stranger's file may have any number. */
const LISTED = 50;

/** Several errors found in one go (config validation collects, it does not stop at the first). */
export class AnemoneErrors extends AnemoneError {
  readonly errors: readonly AnemoneError[];

  constructor(code: string, summary: string, errors: readonly AnemoneError[]) {
    const listedLines = errors.slice(0, LISTED).flatMap((e) => `  ${e.message}`.split('\n'));
    const omittedLine = errors.length > LISTED ? [`  and ${errors.length - LISTED} more`] : [];
    super({ code, message: summary, lines: [...listedLines, ...omittedLine] });
    this.name = 'AnemoneErrors';
    this.errors = errors;
  }
}

/**
 * `file:line:column: path: message — hint`, leaving out what is not known; the hint stands below lines where there are
 * some. A hint that the message ends with already, being that of another error, is not said again.
 */
export function formatError(fields: AnemoneErrorFields): string {
  const place = fields.position ? `${formatPosition(fields.position)}: ` : '';
  const path = fields.path ? `${fields.path}: ` : '';
  const hint = fields.hint && !fields.message.endsWith(` — ${fields.hint}`) ? ` — ${fields.hint}` : '';
  const head = `${place}${path}${fields.message}`;
  // A name with a line end, wherever it stands, must not begin a line that seems to be ours.
  if (!fields.lines?.length) return printable(`${head}${hint}`);
  return [head, ...fields.lines, ...(hint === '' ? [] : [` ${hint}`])].map(printable).join('\n');
}

/** A place as text that editors and terminals recognise: `file:line:column`, as much of it as is known. */
export function formatPosition(position: SourcePosition): string {
  const line = position.line === undefined ? '' : `:${position.line}`;
  const column = position.column === undefined ? '' : `:${position.column}`;
  return `${position.file}${line}${column}`;
}

/** `: no such file`, what an expected error says without its place; '' of others. */
export function saidBy(cause: unknown): string {
  return cause instanceof AnemoneError ? `: ${cause.reason}` : '';
}
