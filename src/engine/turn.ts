/**
 * Lets the event loop turn once, so that signals, timers and readers come through. A loop over what lies in memory, whose
 * computations end before they return, would keep the process to itself as long as it lasts.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
