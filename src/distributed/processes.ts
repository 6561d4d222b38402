// What the system says of other processes of this machine.
import { readFileSync } from 'node:fs';

/**
 * Whether a process can still do something. One that was killed and that its parent has not asked after (a zombie, whose number
 * stays taken) cannot: launchers of MPI leave such behind where nobody collects orphans, as in many containers.
 */
export function isRunning(pid: number): boolean {
  const state = stateOf(pid);
  if (state !== undefined) return state !== 'Z' && state !== 'X';
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The letter of a process's state (T: it is stopped, Z: it has ended). Undefined where there is no /proc, or no such process. */
export function stateOf(pid: number): string | undefined {
  return statusFields(pid)?.[0];
}

/** When a process started: clock ticks of this boot. Null where there is no /proc, or no such process. */
export function startOf(pid: number): string | null {
  const ticks = statusFields(pid)?.[19];
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return ticks === undefined ? null : `${boot} ${ticks}`;
  } catch {
    return null;
  }
}

/** The fields of /proc/PID/stat from the third on (state, parent, …). Undefined where there is no /proc, or no such process. */
function statusFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
