// What a program that ends with an error says and exits with. Expected errors are for the user: their text and
// code 2. Anything else is a bug: the stack and code 1.
import { AnemoneError } from './anemone-error.js';
import { readableLines } from './printable.js';

/** What a program prints on stderr, and the code it exits with: 2 for expected errors, 1 for bugs. */
export interface ErrorReport {
  readonly text: string;
  readonly exitCode: number;
}

/** The text for stderr (with a final newline) and the exit code of an error. */
export function reportOf(error: unknown): ErrorReport {
  // The rank that has failed says why.
  if (error instanceof AnemoneError && error.code === 'distributed.ended') {
    return { text: '', exitCode: error.exitCode };
  }
  if (error instanceof AnemoneError) {
    return { text: `error: ${readableLines(error.message)}\n`, exitCode: error.exitCode };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { text: `unexpected error, please report it:\n${readableLines(stack)}\n`, exitCode: 1 };
}
