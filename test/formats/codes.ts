import { AnemoneError } from '../../src/errors/index.js';

/** The code of the AnemoneError that a promise ends with; other errors are thrown on. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    if (error instanceof AnemoneError) return error.code;
    throw error;
  }
}
