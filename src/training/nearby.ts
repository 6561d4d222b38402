// Looks around a path that names nothing, for error messages: what exists above it, what lies below. Bounded, so
// that a mistyped path never means reading a whole disk.
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const DEPTH = 5;
const MOST_FOLDERS = 300;

/** The path itself if it is a folder, else the first one above it that is. Spelled as the path was. */
export async function folderAbove(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const info = await stat(at).catch(() => undefined);
    if (info?.isDirectory() || at === dirname(at)) return at;
  }
}

/** Folders below `root` that `matches` by name, newest first; a match is not looked into. */
export async function foldersBelow(root: string, matches: (name: string) => boolean): Promise<string[]> {
  const foundFolders: { path: string; time: number }[] = [];
  let level = [root];
  let left = MOST_FOLDERS;
  for (let depth = 0; depth < DEPTH && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      if (left-- <= 0) break;
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') continue;
        const path = join(folder, entry.name);
        if (!matches(entry.name)) next.push(path);
        else foundFolders.push({ path, time: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 });
      }
    }
    level = next;
  }
  return foundFolders.sort((a, b) => b.time - a.time).map(({ path }) => path);
}

/** `a, b, c and 4 more`. */
export function someOf(names: readonly string[], count = 4): string {
  const rest = names.length - count;
  return `${names.slice(0, count).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
