// Options that take several files take every word up to the next option, and so overrides of the config that were meant
// for the command.
import { existsSync } from 'node:fs';
import { AnemoneError } from '../errors/index.js';

/** key=value, +key=value, ++key=value, ~key: what no file is called, unless there is one. */
const OVERRIDE = /^(\+{1,2}[\w$@:.[\]-]+=|~[A-Za-z_][\w.]*$|~[A-Za-z_][\w.]*=|[A-Za-z_][\w$@:.[\]-]*=)/;

function isOverride(word: string): boolean {
  return OVERRIDE.test(word) && !existsSync(word);
}

/** The files of an option, and the overrides that came after them. */
export function splitOverrides(words: readonly string[]): { files: string[]; overrides: string[] } {
  return {
    files: words.filter((word) => !isOverride(word)),
    overrides: words.filter(isOverride),
  };
}

/** For commands that take no overrides. @throws AnemoneError `cli.option` */
export function refuseOverrides(option: string, words: readonly string[]): void {
  const override = words.find(isOverride);
  if (override === undefined) return;
  throw new AnemoneError({
    code: 'cli.option',
    path: option,
    message: `there is no file ${override}`,
    hint: 'this command takes no overrides of a config',
  });
}
