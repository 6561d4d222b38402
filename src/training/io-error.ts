// Turns the file system's refusals into errors a user can act on.
import { AnemoneError } from '../errors/index.js';

const CAUSES: Readonly<Record<string, readonly [code: string, message: string, hint: string]>> = {
  ENOSPC: ['io.disk-full', 'the disk is full', 'free some space and resume; earlier checkpoints are intact'],
  EDQUOT: [
    'io.disk-full',
    'the disk quota is used up',
    'free some space and resume; earlier checkpoints are intact',
  ],
  EFBIG: ['io.disk-full', 'the file size limit is reached', 'raise the limit (ulimit -f) and resume'],
  EACCES: [
    'io.no-permission',
    'no permission to write here',
    'choose another exp_manager.exp_dir or change the permissions',
  ],
  EPERM: [
    'io.no-permission',
    'not permitted to write here',
    'choose another exp_manager.exp_dir or change the permissions',
  ],
  EROFS: ['io.no-permission', 'the file system is read-only', 'choose another exp_manager.exp_dir'],
  ENOTDIR: [
    'io.not-a-folder',
    'a file stands where a folder is needed',
    'choose another exp_manager.exp_dir',
  ],
};

/** The error to throw for a failed write to `path`; our own errors pass unchanged. */
export function writeFailure(path: string, cause: unknown): unknown {
  if (cause instanceof AnemoneError || !(cause instanceof Error)) return cause;
  const known = CAUSES[(cause as NodeJS.ErrnoException).code ?? ''];
  if (!known) return cause;
  const [code, message, hint] = known;
  return new AnemoneError({ code, message, hint, position: { file: path }, cause });
}

/** Runs a write to `path` and translates its failure. */
export async function writing<R>(path: string, write: () => Promise<R>): Promise<R> {
  try {
    return await write();
  } catch (cause) {
    throw writeFailure(path, cause);
  }
}
