// 500 training steps leave neither memory nor tensors behind. Measured in a process of its own, because a test
// runner's heap grows by itself.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MEBIBYTE = 2 ** 20;
/** Noise of allocators and the JIT, measured below 6 MiB; leaking one weight matrix a step would be 8 MiB. */
const ALLOWED_GROWTH = 8 * MEBIBYTE - 1;

it('500 steps leave memory and tensors flat', () => {
  const program = fileURLToPath(new URL('leak-program.ts', import.meta.url));
  const output = execFileSync(process.execPath, ['--expose-gc', '--import', 'tsx', program], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const { checks, evictions } = JSON.parse(output.trim().split('\n').at(-1) as string) as {
    checks: { step: number; rss: number; tensors: number }[];
    evictions: number;
  };
  const [first, last] = [checks[0], checks[checks.length - 1]];
  expect(last.step - first.step).toBe(500);
  expect(checks.map((check) => check.tensors)).toEqual(checks.map(() => first.tensors));
  expect(last.rss - first.rss).toBeLessThan(ALLOWED_GROWTH);
  expect(evictions).toBeGreaterThan(0);
});
