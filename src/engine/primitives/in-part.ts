// Names parts of a program, for what is told of its memory.
import { gradientsWithin } from '../autodiff/tape.js';
import { withPart } from '../part.js';

/**
 * Runs `fn`, whose operations and their gradients are said to belong to part `name`: a module's path. A part inside has its
 * own name. Changes no number.
 */
export function inPart<R>(name: string, fn: () => R): R {
  const within = <T>(run: () => T): T => withPart(name, run);
  return gradientsWithin(within, () => within(fn));
}
