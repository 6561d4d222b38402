// How much memory this process can still have: what the machine has left, what the container's limits (cgroup, both versions)
// leave, and what `ulimit -v` and `ulimit -d` leave. Memory that holds copies of files counts as free: the kernel gives it up.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';

/** What can be had, and what ends it: words that go behind "free". */
export interface FreeMemory {
  readonly bytes: number;
  readonly of: string;
}

/** The text of a file, undefined where there is none that can be read. */
export type ReadText = (path: string) => string | undefined;

const KIBI = 1024;
/** Version 1 says "no limit" with a number near 2^63. */
const UNLIMITED = 2 ** 60;

/** The least of all limits. */
export function freeMemory(read: ReadText = readText): FreeMemory {
  const limits = [...ofMachine(read), ...ofContainer(read), ...ofProcess(read)];
  return limits.reduce((least, limit) => (limit.bytes < least.bytes ? limit : least));
}

function ofMachine(read: ReadText): readonly FreeMemory[] {
  const available = kibibytes(read('/proc/meminfo'), 'MemAvailable');
  const bytes = available ?? (process.platform === 'darwin' ? darwinMemory() : process.availableMemory());
  return [{ bytes, of: 'on this machine' }];
}

/** `VmSize` is what `ulimit -v` counts, `VmData` what `ulimit -d` does. */
function ofProcess(read: ReadText): readonly FreeMemory[] {
  const limits = read('/proc/self/limits');
  const status = read('/proc/self/status');
  const rows = [
    { row: 'Max address space', taken: 'VmSize', of: 'below the limit of ulimit -v' },
    { row: 'Max data size', taken: 'VmData', of: 'below the limit of ulimit -d' },
  ];
  return rows.flatMap(({ row, taken, of }) => {
    const limit = Number(new RegExp(`^${row} +(\\d+)`, 'm').exec(limits ?? '')?.[1] ?? Number.NaN);
    const used = kibibytes(status, taken);
    return Number.isNaN(limit) || used === undefined ? [] : [{ bytes: Math.max(0, limit - used), of }];
  });
}

interface GroupFiles {
  readonly limits: readonly string[];
  readonly usage: string;
  readonly files: string;
}

const VERSION_1: GroupFiles = {
  limits: ['memory.limit_in_bytes'],
  usage: 'memory.usage_in_bytes',
  files: 'total_inactive_file',
};
const VERSION_2: GroupFiles = {
  limits: ['memory.max', 'memory.high'],
  usage: 'memory.current',
  files: 'inactive_file',
};

/** Limits of the process's control group and of all groups around it. */
function ofContainer(read: ReadText): readonly FreeMemory[] {
  return (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, controllers, ...rest] = line.split(':');
    const path = rest.join(':');
    if (controllers === '') return ofGroups(read, '/sys/fs/cgroup', path, VERSION_2);
    if (controllers?.split(',').includes('memory'))
      return ofGroups(read, '/sys/fs/cgroup/memory', path, VERSION_1);
    return [];
  });
}

/** In a container the path may be the host's, while its own group is what is mounted: folders that are not there are left out. */
function ofGroups(read: ReadText, root: string, path: string, files: GroupFiles): readonly FreeMemory[] {
  const names = path.split('/').filter((name) => name !== '');
  return Array.from({ length: names.length + 1 }, (_, i) => join(root, ...names.slice(0, i))).flatMap(
    (folder) => {
      const used = wholeNumber(read(join(folder, files.usage)));
      if (used === undefined) return [];
      const cached = new RegExp(`^${files.files} (\\d+)`, 'm').exec(read(join(folder, 'memory.stat')) ?? '');
      return files.limits.flatMap((name) => {
        const limit = wholeNumber(read(join(folder, name)));
        if (limit === undefined || limit >= UNLIMITED) return [];
        const bytes = Math.max(0, limit - used + Number(cached?.[1] ?? 0));
        return [{ bytes, of: `below the container's limit of ${(limit / 2 ** 30).toFixed(1)} GiB` }];
      });
    },
  );
}

/** macOS says by `vm_stat` how many pages it can give: libuv's figure leaves out those that hold files. */
function darwinMemory(): number {
  try {
    return parseVmStat(execFileSync('vm_stat', { encoding: 'utf8', timeout: 5000 })) ?? totalmem();
  } catch {
    return totalmem();
  }
}

/** Free, inactive, speculative and purgeable pages, in bytes. */
export function parseVmStat(text: string): number | undefined {
  const page = Number(/page size of (\d+) bytes/.exec(text)?.[1] ?? Number.NaN);
  const pages = ['free', 'inactive', 'speculative', 'purgeable'].map((kind) =>
    Number(new RegExp(`^Pages ${kind}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0),
  );
  const bytes = page * pages.reduce((sum, count) => sum + count, 0);
  return bytes > 0 ? bytes : undefined;
}

function kibibytes(text: string | undefined, key: string): number | undefined {
  const found = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text ?? '');
  return found ? KIBI * Number(found[1]) : undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
