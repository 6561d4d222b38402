import { describe, expect, it } from 'vitest';
import { freeMemory, parseVmStat } from '../../../src/training/system/free-memory.js';

const MIB = 2 ** 20;
const MACHINE = { '/proc/meminfo': 'MemTotal:  9000000 kB\nMemAvailable:    4096000 kB\n' };

function free(files: Readonly<Record<string, string>>) {
  return freeMemory((path) => ({ ...MACHINE, ...files })[path]);
}

describe('freeMemory', () => {
  it('is what the machine has left where nothing else bounds it', () => {
    expect(free({})).toEqual({ bytes: 4000 * MIB, of: 'on this machine' });
  });

  it('is below the limit of a control group of version 2, or of one around it; cached files are free', () => {
    const group = '/sys/fs/cgroup/a.slice';
    const files = {
      '/proc/self/cgroup': '0::/a.slice/b.scope\n',
      [`${group}/memory.current`]: `${800 * MIB}\n`,
      [`${group}/memory.max`]: `${1024 * MIB}\n`,
      [`${group}/memory.stat`]: `anon 5\ninactive_file ${100 * MIB}\n`,
      [`${group}/b.scope/memory.current`]: `${700 * MIB}\n`,
      [`${group}/b.scope/memory.max`]: 'max\n',
    };
    expect(free(files)).toEqual({ bytes: 324 * MIB, of: "below the container's limit of 1.0 GiB" });
  });

  it('knows version 1, where the mounted group is the own one, and "no limit"', () => {
    const files = {
      '/proc/self/cgroup': '9:cpu:/\n4:memory:/docker/0123\n',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${100 * MIB}`,
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${512 * MIB}`,
    };
    expect(free(files).bytes).toBe(412 * MIB);
    const unlimited = { ...files, '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712' };
    expect(free(unlimited).of).toBe('on this machine');
  });

  it('is below ulimit -v and -d', () => {
    const limits = (row: string) => ({
      '/proc/self/limits': `Limit  Soft Limit  Hard Limit  Units\n${row}  ${2000 * MIB}  unlimited  bytes\n`,
      '/proc/self/status': `VmSize:\t ${1500 * 1024} kB\nVmData:\t ${500 * 1024} kB\n`,
    });
    expect(free(limits('Max address space'))).toEqual({
      bytes: 500 * MIB,
      of: 'below the limit of ulimit -v',
    });
    expect(free(limits('Max data size')).bytes).toBe(1500 * MIB);
  });

  it('is never negative', () => {
    const files = {
      '/proc/self/limits': `Max address space  ${MIB}  unlimited  bytes\n`,
      '/proc/self/status': `VmSize:\t ${1500 * 1024} kB\n`,
    };
    expect(free(files).bytes).toBe(0);
  });

  it('reads what macOS says', () => {
    const text = [
      'Mach Virtual Memory Statistics: (page size of 16384 bytes)',
      'Pages free:                               1000.',
      'Pages active:                           200000.',
      'Pages inactive:                           2000.',
      'Pages speculative:                         300.',
      'Pages purgeable:                            40.',
    ].join('\n');
    expect(parseVmStat(text)).toBe(16384 * 3340);
    expect(parseVmStat('nothing')).toBeUndefined();
  });

  it('is something on the machine that this runs on', () => {
    expect(freeMemory().bytes).toBeGreaterThan(0);
  });
});
