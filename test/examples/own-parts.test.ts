// The example with a model, data, a callback and a logger of the user's own, as a user runs it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'anemone-own-parts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('fits a line through points, ends when its callback says so, and writes its log', () => {
  const args = ['--import', 'tsx', 'examples/own-parts/line.ts', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const [, slope, offset] = /y = (\S+) x \+ (\S+);/.exec(stdout) ?? [];
  expect(Number(slope)).toBeCloseTo(3, 0);
  expect(Number(offset)).toBeCloseTo(-1, 0);
  expect(stdout).toMatch(/^val\/loss is /);
  expect(stderr).toMatch(/points\/s/);
  const losses = readFileSync(join(folder, 'loss.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => Number(row.split(' ')[1]));
  expect(losses.length).toBeGreaterThan(3);
  expect(losses.at(-1)).toBeLessThan(losses[0] / 10);
});
