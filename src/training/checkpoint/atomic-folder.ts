// A folder that is there whole or not at all: written under a hidden name, synced to disk, then renamed.
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isRunning } from '../../distributed/index.js';
import { makeFolder } from '../../formats/index.js';

const MARK = '.writing-';

/**
 * Makes `target`, which must not exist, from what `fill` writes into the folder it is given.
 * @throws whatever `fill` or the file system throws; nothing is left behind then
 */
export async function writeFolderAtomically(
  target: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const parent = dirname(target);
  makeFolder(parent);
  const temporary = join(parent, `.${basename(target)}${MARK}${process.pid}`);
  await rm(temporary, { recursive: true, force: true });
  try {
    await mkdir(temporary);
    await fill(temporary);
    await syncFolder(temporary);
    await rename(temporary, target);
    await syncFolder(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/**
 * Removes what killed processes left half-written in `parent`.
 * @param options.alone nobody else writes there, nor does this process now: the numbers of processes, which come
 *   again, need not be asked
 */
export async function removeLeftovers(
  parent: string,
  options: { readonly alone?: boolean | undefined } = {},
): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = name.startsWith('.') && name.includes(MARK) ? Number(name.split(MARK).pop()) : 0;
    if (pid > 0 && (options.alone || (pid !== process.pid && !isRunning(pid)))) {
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}

/** Flushes a folder's entries. Windows cannot open folders and needs no such flush. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
