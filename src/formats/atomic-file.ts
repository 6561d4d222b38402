// A file that is there whole or not at all: written under a hidden name, synced to disk, then renamed.
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AnemoneError } from '../errors/index.js';
import { makeFolder } from './make-folder.js';

/**
 * Writes the parts one after the other; an older file of the name is replaced at the end.
 * @throws AnemoneError `io.disk-full`, `io.no-permission`, `io.failed` for what the file system refuses, and whatever
 *   the parts throw; nothing is left behind then
 */
export async function writeFileAtomically(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.writing-${process.pid}`);
  try {
    makeFolder(folder);
    const handle = await open(temporary, 'w');
    try {
      for await (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw refusal(path, error);
  }
}

const CODES: Readonly<Record<string, string>> = {
  ENOSPC: 'io.disk-full',
  EDQUOT: 'io.disk-full',
  EACCES: 'io.no-permission',
  EPERM: 'io.no-permission',
  EROFS: 'io.no-permission',
};

/** What the file system says as an error for the user; others as they are. */
function refusal(path: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof AnemoneError || code === undefined || syscall === undefined) return error;
  return new AnemoneError({
    code: CODES[code] ?? 'io.failed',
    message: `cannot write here: ${message}`,
    position: { file: path },
    hint: 'choose another place',
    cause: error,
  });
}
