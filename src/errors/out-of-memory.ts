// Memory that was refused, whoever refused it: ONNX Runtime, C++ or JavaScript.
import { AnemoneError } from './anemone-error.js';

/** What the refusals say. */
const REFUSED =
  /bad_alloc|failed to allocate|out of memory|array buffer allocation failed|allocation failed|cannot allocate memory/i;

/** Whether an error means that there was not enough memory. */
export function isOutOfMemory(error: unknown): boolean {
  if (error instanceof AnemoneError) return error.code === 'engine.out-of-memory';
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return code === 'ERR_MEMORY_ALLOCATION_FAILED' || code === 'ENOMEM' || REFUSED.test(error.message);
}
