// One process at a time in the folder of a run. The lock is a small file that names its holder; one whose holder
// is gone (a kill, a power failure, another boot) is taken over.
import {
  linkSync,
  lstatSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { defineSchema, parseJson } from '../config/index.js';
import { isRunning, startOf } from '../distributed/index.js';
import { AnemoneError, printable } from '../errors/index.js';

export const LOCK_FILE = 'run.lock';

/** Who holds a folder. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** When the process started, as the system says it: another process of the same number has another. */
  readonly started: string | null;
  /** The folder's number in its file system: a copy of the folder, with the lock in it, has another. */
  readonly folder: string | null;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
}

interface Held {
  /** Objects of this process that share the lock. */
  owners: number;
  /** Whether a fit is under way. */
  busy: boolean;
}

/** Folders that this process holds. */
const heldFolders = new Map<string, Held>();

export class RunLock {
  private released = false;

  private constructor(
    private readonly folder: string,
    /** The holder whose lock was taken over: it is gone. */
    readonly tookOverFrom: LockHolder | undefined,
  ) {}

  /**
   * Takes the folder, which exists. Within a process it is shared; see `begin`.
   * @throws AnemoneError `run.locked` naming the process that holds it; whatever the file system throws
   */
  static take(folder: string): RunLock {
    const place = realpathSync(folder);
    const ownLock = heldFolders.get(place);
    if (ownLock) {
      ownLock.owners++;
      return new RunLock(place, undefined);
    }
    const before = acquire(join(place, LOCK_FILE));
    heldFolders.set(place, { owners: 1, busy: false });
    listenForExit();
    return new RunLock(place, before);
  }

  /** Marks a fit in the folder. @returns ends it. @throws AnemoneError `run.locked` when one is under way */
  begin(): () => void {
    const ownLock = heldFolders.get(this.folder);
    if (ownLock?.busy) throw locked(this.folder, ownIdentity(this.folder));
    if (ownLock) ownLock.busy = true;
    return () => {
      if (ownLock) ownLock.busy = false;
    };
  }

  /** Gives the folder back when nothing else in this process has it. */
  release(): void {
    if (this.released) return;
    this.released = true;
    const ownLock = heldFolders.get(this.folder);
    if (!ownLock || --ownLock.owners > 0) return;
    heldFolders.delete(this.folder);
    giveBack(this.folder);
  }
}

const ATTEMPTS = 20;

/** @returns who had it and is gone */
function acquire(file: string): LockHolder | undefined {
  let gone: LockHolder | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (create(file)) return gone;
    const text = textOf(file);
    if (text === undefined) continue; // given back in between
    const holder = holderOf(text, file);
    if (holder && isAlive(holder, dirname(file))) throw locked(file, holder);
    if (removeStale(file, text)) gone = holder;
  }
  throw locked(file, undefined);
}

/** Makes the lock whole at once: a link to a finished file, where the file system has links. */
function create(file: string): boolean {
  const text = `${JSON.stringify(ownIdentity(dirname(file)))}\n`;
  const finished = `${file}.${process.pid}`;
  try {
    writeFileSync(finished, text);
    linkSync(finished, file);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw error;
    return createAlone(file, text);
  } finally {
    rmSync(finished, { force: true });
  }
}

const NO_LINKS: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EACCES',
]);

function createAlone(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Undefined when there is none any more. */
function textOf(file: string): string | undefined {
  const info = lstatSync(file, { throwIfNoEntry: false });
  if (!info) return undefined;
  if (!info.isFile()) {
    throw new AnemoneError({
      code: 'io.not-a-folder',
      message: 'something that is no file stands where the lock of the run is needed',
      position: { file },
      hint: 'remove it',
    });
  }
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const lockShape = defineSchema(
  LOCK_FILE,
  {
    pid: { doc: 'Number of the process.', format: 'int', min: 1 },
    host: { doc: 'Name of its machine.', format: 'string' },
    started: {
      doc: 'When it started, as the system says it.',
      format: 'string',
      nullable: true,
      default: null,
    },
    folder: {
      doc: 'Number of the folder in its file system.',
      format: 'string',
      nullable: true,
      default: null,
    },
    since: { doc: 'When the lock was taken.', format: 'string', default: 'unknown' },
  },
  { extra: 'any' },
);

/** Undefined for a lock that was cut off or is not ours: nobody can be asked whether it is in use. */
function holderOf(text: string, file: string): LockHolder | undefined {
  try {
    return parseJson(text, lockShape, { code: 'run.damaged-lock', position: { file } });
  } catch (error) {
    if (error instanceof AnemoneError) return undefined;
    throw error;
  }
}

/** Moves the stale lock out of the way, unless another process was faster and it is no longer the one seen. */
function removeStale(file: string, seenText: string): boolean {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  const isSame = readFileSync(aside, 'utf8') === seenText;
  if (!isSame) {
    try {
      linkSync(aside, file);
    } catch {
      // A third process has it by now, and is asked in the next round.
    }
  }
  rmSync(aside, { force: true });
  return isSame;
}

/** Whether the holder can still be there. Of another machine nothing is known, so it can. */
function isAlive({ pid, host, started, folder: heldFolder }: LockHolder, folder: string): boolean {
  if (host !== hostname()) return true;
  if (heldFolder !== null && heldFolder !== numberOf(folder)) return false;
  if (!isRunning(pid)) return false;
  const startNow = startOf(pid);
  if (started !== null && startNow !== null) return started === startNow;
  // Where the system does not tell: this process holds nothing that it does not know of.
  return pid !== process.pid;
}

function numberOf(folder: string): string {
  return String(statSync(folder, { bigint: true }).ino);
}

function ownIdentity(folder: string): LockHolder {
  return {
    pid: process.pid,
    host: hostname(),
    started: startOf(process.pid),
    folder: numberOf(folder),
    since: new Date().toISOString(),
  };
}

function locked(file: string, holder: LockHolder | undefined): AnemoneError {
  const elsewhere = holder !== undefined && holder.host !== hostname();
  return new AnemoneError({
    code: 'run.locked',
    message: holder
      ? `process ${holder.pid} on ${printable(holder.host)} is training here since ${printable(holder.since)}`
      : 'other processes are starting here',
    position: { file },
    hint: elsewhere
      ? `wait for it; if it is gone, remove ${file}`
      : 'wait for it or stop it, or choose another exp_manager.name or version',
    details: { holder },
  });
}

let listening = false;

/** A process that ends gives its folders back; one that is killed leaves them to be taken over. */
function listenForExit(): void {
  if (listening) return;
  listening = true;
  process.on('exit', () => {
    for (const folder of heldFolders.keys()) giveBack(folder);
  });
}

/** Removes the lock, unless someone has removed it by hand and another process has the folder now. */
function giveBack(folder: string): void {
  const file = join(folder, LOCK_FILE);
  try {
    const holder = holderOf(readFileSync(file, 'utf8'), file);
    const identity = ownIdentity(folder);
    if (holder?.pid === identity.pid && holder.host === identity.host && holder.started === identity.started)
      rmSync(file);
  } catch {
    // It is gone, or stale from now on.
  }
}
