// Programs that come in files of others, such as chat templates and regular expressions, may run for ever. Here they run
// under a watch of the JavaScript engine, which ends them.
import { type Context, createContext, runInContext } from 'node:vm';
import { AnemoneError, type AnemoneErrorFields } from '../errors/index.js';

let watched: Context | undefined;

/**
 * What `run` gives, unless it takes longer than `milliseconds`.
 * @param otherwise what is said then
 * @throws AnemoneError of `otherwise`, and whatever `run` throws
 */
export function withinTime<T>(milliseconds: number, otherwise: AnemoneErrorFields, run: () => T): T {
  watched ??= createContext({});
  const outer = watched['run'] as unknown;
  watched['run'] = run;
  try {
    return runInContext('run()', watched, { timeout: milliseconds }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new AnemoneError(otherwise);
  } finally {
    watched['run'] = outer;
  }
}
