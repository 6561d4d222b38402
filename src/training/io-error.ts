// Turns the file system's refusals into errors a user can act on.
import { resolve, sep } from 'node:path';
import { AnemoneError } from '../errors/index.js';

const ELSEWHERE = 'choose another exp_manager.exp_dir';
const IN_THE_WAY = ['io.not-a-folder', 'a file stands where a folder is needed', ELSEWHERE] as const;

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
  EROFS: ['io.no-permission', 'the file system is read-only', ELSEWHERE],
  ENOTDIR: IN_THE_WAY,
  EEXIST: IN_THE_WAY,
};

/** The error to throw for a failed write to `path`; our own errors pass unchanged. */
export function writeFailure(path: string, cause: unknown): unknown {
  if (cause instanceof AnemoneError || !(cause instanceof Error)) return cause;
  const { code: system, syscall, path: refusedPath } = cause as NodeJS.ErrnoException;
  if (system === undefined || (syscall === undefined && !(system in CAUSES))) return cause;
  const [code, what, hint] = CAUSES[system] ?? [
    'io.failed',
    `cannot write here: ${cause.message}`,
    ELSEWHERE,
  ];
  // A folder above may be what is in the way.
  const above = refusedPath !== undefined && resolve(path).startsWith(resolve(refusedPath) + sep);
  const message = above && !what.includes(refusedPath) ? `${what} (${refusedPath})` : what;
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
