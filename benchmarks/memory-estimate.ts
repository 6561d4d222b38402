// What a training run is estimated to take in memory (`anemone train --dry-run`) against what it takes: the peak of resident
// memory of a process that trains the first steps. Configs of conf/, noise for speech, each run in processes of its own.
//   npx tsx benchmarks/memory-estimate.ts [--steps 2] [--only CTC]
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { machine } from './lib/contestant.js';
import { CASES, prepareCase } from './lib/memory-cases.js';
import type { MemoryTask } from './lib/memory-child.js';

const { values: flags } = parseArgs({
  options: { steps: { type: 'string', default: '2' }, only: { type: 'string', default: '' } },
});
const child = fileURLToPath(new URL('lib/memory-child.ts', import.meta.url));

async function result<T>(task: MemoryTask): Promise<T> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', child, JSON.stringify(task)],
    { maxBuffer: 2 ** 26 },
  );
  const line = stdout.split('\n').findLast((text) => text.startsWith('RESULT '));
  return JSON.parse((line ?? '').slice('RESULT '.length)) as T;
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
const folder = mkdtempSync(join(tmpdir(), 'anemone-memory-'));
console.log(`${machine}\n`);
console.log('| model | parameters | batch | estimate, MiB | measured, MiB | difference |');
console.log('|---|---|---|---|---|---|');
try {
  for (const [i, memoryCase] of CASES.entries()) {
    if (!memoryCase.name.includes(flags.only)) continue;
    const { name, config, overrides, batch, seconds } = memoryCase;
    const prepared = prepareCase(memoryCase, join(folder, String(i)));
    const task = { config, overrides: [...overrides, ...prepared], steps: Number(flags.steps) };
    const plan = await result<{ parameters: number; total: number }>({ ...task, what: 'plan' });
    const run = await result<{ peak: number }>({ ...task, what: 'train' });
    const difference = (100 * (plan.total - run.peak)) / run.peak;
    console.log(
      `| ${name} | ${(plan.parameters / 1e6).toFixed(1)} M | ${batch} × ${seconds} s | ${mib(plan.total)} | ${mib(run.peak)} | ${difference >= 0 ? '+' : '−'}${Math.abs(difference).toFixed(0)}% |`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
