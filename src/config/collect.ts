// Throwing what was collected: nothing, the one error, or all of them in one.

import { type AnemoneError, AnemoneErrors } from '../errors/index.js';

/** Throws if `errors` has any; a single error is thrown as it is. */
export function throwAll(code: string, summary: string, errors: readonly AnemoneError[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AnemoneErrors(code, summary, errors);
}
