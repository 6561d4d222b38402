// Which failures all ranks know of: they end each for itself then, and none needs to be ended.
const told = new WeakSet<object>();
let isOwnEndTold = false;

/** Call when all ranks have heard that this one ends with `error`. */
export function endIsToldOf(error: unknown): void {
  isOwnEndTold = true;
  if (typeof error === 'object' && error !== null) told.add(error);
}

/** Whether all ranks have heard of an error. */
export function isTold(error: unknown): boolean {
  return typeof error === 'object' && error !== null && told.has(error);
}

/** Whether all ranks know that this process ends. */
export function isEndTold(): boolean {
  return isOwnEndTold;
}
