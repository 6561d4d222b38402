// The frame of every prepare command: errors a user can mend are one line and exit code 2.
import { AnemoneError } from '../../src/errors/index.js';
import { hours, type ManifestLine } from './manifest.js';

export function runCommand(main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    const expected = error instanceof AnemoneError || isArgumentError(error);
    console.error(expected ? (error as Error).message : error);
    process.exitCode = expected ? 2 : 1;
  });
}

/** What node's own parser throws for an option it does not know. */
function isArgumentError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
}

/** One line a set: its name, utterances and hours. */
export function printSets(sets: Readonly<Record<string, readonly ManifestLine[]>>): void {
  for (const [name, lines] of Object.entries(sets)) {
    console.log(
      `  ${name.padEnd(8)} ${String(lines.length).padStart(5)} utterances  ${hours(lines).toFixed(2)} h`,
    );
  }
}
