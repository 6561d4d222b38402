// Which files of this machine a stranger's archive or checkpoint may reach: those that the user names, and no others.
import { sep } from 'node:path';

/**
 * For `ModelServices.sealed`: false for paths that the user's own words name, or that lie in a folder they name, such
 * as a language model, phrases, a tokenizer.
 * @param overrides `key=value` changes of the stranger's config
 * @param config one laid over it
 */
export function sealedBut(overrides: readonly string[] = [], config?: unknown): (path: string) => boolean {
  const values = overrides.map((change) => change.slice(change.indexOf('=') + 1));
  const namedPaths = new Set([...values.flatMap(wordsOf), ...textsOf(config)]);
  return (path) => !namedPaths.has(path) && ![...namedPaths].some((folder) => liesIn(path, folder));
}

/** A value, and the texts in it where it is a list or mapping. */
function wordsOf(value: string): string[] {
  const withoutQuotes = (text: string) => text.trim().replace(/^(["'])(.*)\1$/, '$2');
  return [withoutQuotes(value), ...value.split(/[[\]{},]|:\s/).map(withoutQuotes)].filter(
    (text) => text !== '',
  );
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

function liesIn(path: string, folder: string): boolean {
  const start = /[/\\]$/.test(folder) ? folder : `${folder}${sep}`;
  return path.startsWith(start) && !path.slice(start.length).split(/[/\\]/).includes('..');
}
