// SIGINT, SIGTERM and SIGHUP (the terminal is gone) during a fit: the first asks for a stop after the step, the second
// ends the process.

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof EXIT_CODES;

/** Exit code of a process that was asked to stop: 128 + the signal's number, as shells count. */
export function exitCodeOf(signal: string): number {
  return EXIT_CODES[signal as StopSignal] ?? 1;
}

/**
 * Listens until the returned function is called. A second signal of any kind exits at once.
 * @param onAsked called once with the first signal
 */
export function listenForStop(onAsked: (signal: StopSignal) => void): () => void {
  let wasSeen = false;
  const listener = (signal: NodeJS.Signals) => {
    if (wasSeen) process.exit(exitCodeOf(signal));
    wasSeen = true;
    onAsked(signal as StopSignal);
  };
  for (const signal of Object.keys(EXIT_CODES)) process.on(signal, listener);
  return () => {
    for (const signal of Object.keys(EXIT_CODES)) process.removeListener(signal, listener);
  };
}
