// The quickstart says what is wrong with its words before it makes minutes of data.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

it.each([
  ['trainr.max_steps=1', 2, /^error: [^\n]*did you mean "trainer"[^\n]*\n$/],
  ['--help', 0, /^$/],
])('quickstart %s makes no data', (word, code, said) => {
  const script = join(root, 'examples/digits/quickstart.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, word], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(status).toBe(code);
  expect(stderr).toMatch(said);
  expect(stdout).not.toContain('== data');
});
