// The reader of our output goes away: `anemone ... | head`, a terminal that is closed, `2> >(head -c 6000)`. What only
// prints ends quietly then; work that leaves more than its output goes on without it.

/** How many pieces of work must not end with their output. */
let working = 0;

/**
 * Until the returned function is called, a reader that goes away costs the output and nothing else, on stdout and
 * stderr.
 */
export function outliveReaders(): () => void {
  for (const stream of [process.stdout, process.stderr]) listen(stream);
  working++;
  let ended = false;
  return () => {
    if (!ended) working--;
    ended = true;
  };
}

/** Ends quietly when the reader of our output goes away, unless something is under way that outlives it. */
export function exitOnClosedPipe(stream: NodeJS.WriteStream = process.stdout): void {
  listen(stream);
  // Progress and warnings are not what a command is for: it goes on without them.
  listen(process.stderr);
}

const listened = new WeakSet<NodeJS.WriteStream>();

function listen(stream: NodeJS.WriteStream): void {
  if (listened.has(stream)) return;
  listened.add(stream);
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (working > 0 || stream === process.stderr) return;
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}
