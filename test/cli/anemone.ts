// Runs the `anemone` command in this process and keeps what it prints.
import { vi } from 'vitest';
import { run } from '../../src/cli/main.js';

/** Afterwards all mocks are gone, and the process's exit code is what it was. */
export async function anemone(
  ...args: string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const before = process.exitCode;
  process.exitCode = undefined;
  const printed = { out: '', err: '' };
  const keep = (key: 'out' | 'err') => (chunk: unknown) => {
    printed[key] += String(chunk);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(keep('err'));
  const code = await run(args);
  vi.restoreAllMocks();
  process.exitCode = before;
  return { code, ...printed };
}
