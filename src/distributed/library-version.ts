// The version of the installed library, which all ranks must have.
import { readFileSync } from 'node:fs';

export function libraryVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
