// The frame of the quickstarts: a title for each part, and an end at the first that fails.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/index.js';
import { reportOf } from '../../src/errors/index.js';

/** Data takes minutes: what is wrong with the overrides is said before, and ends the program. */
export function checkOverrides(config: string, words: readonly string[]): void {
  try {
    loadConfig(
      config,
      words.filter((word) => /^[^-].*=|^~/.test(word)),
    );
  } catch (error) {
    const { text, exitCode } = reportOf(error);
    process.stderr.write(text);
    process.exit(exitCode);
  }
}

/** Runs one part; a failure ends the program with the part's exit code. */
export async function step(title: string, action: () => Promise<number>): Promise<void> {
  process.stdout.write(`\n== ${title}\n`);
  const exitCode = await action();
  if (exitCode !== 0) process.exit(exitCode);
}

/** Runs a script in a process of its own. @returns its exit code */
export async function runScript(script: URL, options: readonly string[] = []): Promise<number> {
  const node = ['--import', 'tsx', fileURLToPath(script), ...options];
  return spawnSync(process.execPath, node, { stdio: 'inherit' }).status ?? 1;
}
