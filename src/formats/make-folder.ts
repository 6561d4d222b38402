// Makes a folder and its missing parents, one bounded step after the other. Node's recursive mkdir never
// returns where a parent exists but refuses children with ENOENT, as /proc does.
import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder, and those above it that are missing.
 * @throws the file system's error for the first folder that cannot be made, its `path` naming it
 */
export function makeFolder(path: string): void {
  const missingFolders: string[] = [];
  for (let at = resolve(path); !isFolder(at) && at !== dirname(at); at = dirname(at)) missingFolders.push(at);
  for (const folder of missingFolders.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      // Another process may have been faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isFolder(folder)) throw error;
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    // Under a file nothing can be either; making the folder says which file.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
