// The version of the installed package: what the command says it is, and what all ranks of a run must have.
import { readFileSync } from 'node:fs';

/** The `version` of this library's package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
