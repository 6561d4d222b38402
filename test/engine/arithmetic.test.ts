// An engine leaves the arithmetic of the program that uses it alone: ONNX Runtime can make denormal numbers zero, but it
// does so on the thread that makes the first session, and for good.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

interface Report {
  readonly seen: Readonly<Record<string, boolean>>;
  readonly distinct: number;
}

it.each([
  [1, 'main'],
  [2, 'worker'],
])(
  'denormals are numbers before, in and after all that an engine of %d threads does (%s)',
  (threads, where) => {
    const program = fileURLToPath(new URL('arithmetic-program.ts', import.meta.url));
    const output = execFileSync(process.execPath, ['--import', 'tsx', program, String(threads), where], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const reports = output.trim().split('\n').map((line) => JSON.parse(line) as Report); // biome-ignore format: short
    expect(reports).toHaveLength(where === 'worker' ? 2 : 1);
    for (const { seen, distinct } of reports) {
      expect(Object.keys(seen).length).toBeGreaterThanOrEqual(7);
      expect(Object.entries(seen).filter(([, kept]) => !kept)).toEqual([]);
      // All threads of the engine compute alike.
      expect(distinct).toBe(1);
    }
  },
);
