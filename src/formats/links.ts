// A folder of a stranger's may hold links, which make whoever reads it read, and quote in messages, files of this
// machine that have nothing to do with it.
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';

/** What to do about a link in a folder that is to be complete in itself. */
export const COPY_LINKED = 'if you made the links, copy the folder with what they lead to: cp -rL FROM TO';

/** Whether a file of a folder, or a folder on the way to it, is a symbolic link; a path to `folder` itself may be. */
export async function isLinked(folder: string, segments: readonly string[]): Promise<boolean> {
  let place = folder;
  for (const segment of segments) {
    place = join(place, segment);
    const info = await lstat(place).catch(() => undefined);
    if (info?.isSymbolicLink()) return true;
  }
  return false;
}
