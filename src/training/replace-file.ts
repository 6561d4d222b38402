// Rewrites a small file whole: beside it first, then renamed, so that a full disk leaves the old one as it was.
import { rename, rm, writeFile } from 'node:fs/promises';
import { writing } from './io-error.js';

/** @throws AnemoneError `io.*` */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.partial`;
  await writing(path, async () => {
    try {
      await writeFile(partial, content);
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {});
      throw error;
    }
  });
}
