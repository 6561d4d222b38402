// Errors as data: a code, where it happened, what was expected. Text comes second.
// Every mistake a user can make ends in one of these; the CLI prints them and exits with `exitCode`.

/** A place in a text file, 1-based. */
export interface SourcePosition {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

export interface AnemoneErrorFields {
  /** Stable machine-readable name, e.g. `config.unknown-key`, `audio.truncated`. */
  readonly code: string;
  /** What is wrong, one sentence, no trailing period. */
  readonly message: string;
  /** Dotted config path or tensor/parameter name the error is about. */
  readonly path?: string;
  readonly position?: SourcePosition;
  /** What to do about it, one sentence. */
  readonly hint?: string;
  /** Further facts for programs (sizes, names, near misses). */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The base of every expected error. `exitCode` 2 means "the user can fix this". */
export class AnemoneError extends Error {
  readonly code: string;
  /** What is wrong, without the place and the hint that `message` has too. */
  readonly reason: string;
  readonly path: string | undefined;
  readonly position: SourcePosition | undefined;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly exitCode: number = 2;

  constructor(fields: AnemoneErrorFields) {
    super(formatError(fields), fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'AnemoneError';
    this.code = fields.code;
    this.reason = fields.message;
    this.path = fields.path;
    this.position = fields.position;
    this.hint = fields.hint;
    this.details = fields.details ?? {};
  }
}

/** Several errors found in one go (config validation collects, it does not stop at the first). */
export class AnemoneErrors extends AnemoneError {
  readonly errors: readonly AnemoneError[];

  constructor(code: string, summary: string, errors: readonly AnemoneError[]) {
    super({ code, message: `${summary}\n${errors.map((e) => `  ${e.message}`).join('\n')}` });
    this.name = 'AnemoneErrors';
    this.errors = errors;
  }
}

/** `file:line:column: path: message — hint`, leaving out what is not known. */
export function formatError(fields: AnemoneErrorFields): string {
  const place = fields.position ? `${formatPosition(fields.position)}: ` : '';
  const path = fields.path ? `${fields.path}: ` : '';
  const hint = fields.hint ? ` — ${fields.hint}` : '';
  return `${place}${path}${fields.message}${hint}`;
}

export function formatPosition(position: SourcePosition): string {
  const line = position.line === undefined ? '' : `:${position.line}`;
  const column = position.column === undefined ? '' : `:${position.column}`;
  return `${position.file}${line}${column}`;
}
