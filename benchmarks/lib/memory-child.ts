// One training run of memory-estimate.ts, in a process of its own: prints what is planned, or trains a few steps and prints the
// most resident memory that the process had.
import { readFileSync } from 'node:fs';
import { createFromConfig } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { type ConfigNode, loadConfig } from '../../src/config/index.js';
import { Trainer } from '../../src/training/index.js';

export interface MemoryTask {
  readonly config: string;
  readonly overrides: readonly string[];
  readonly steps: number;
  readonly what: 'plan' | 'train';
}

/** Largest resident memory so far, in bytes. */
function peak(): number {
  if (process.platform !== 'linux') return 1024 * process.resourceUsage().maxRSS;
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

const { config: file, overrides, steps, what } = JSON.parse(process.argv[2]) as MemoryTask;
const config = loadConfig(file, [...overrides]);
const trainer = new Trainer(
  {
    ...(config['trainer'] as ConfigNode),
    max_steps: steps,
    num_sanity_val_steps: 0,
    strategy: 'auto',
    memory_check: 'warn',
  } as object,
  { container: createDefaultContainer() },
);
const model = await createFromConfig(config, trainer);
if (what === 'plan') {
  const { memory, parameters } = await trainer.plan(model);
  console.log(
    `RESULT ${JSON.stringify({ parameters, items: memory?.items, total: memory?.totalBytes, batch: memory?.batch })}`,
  );
} else {
  await trainer.fit(model);
  console.log(
    `RESULT ${JSON.stringify({ peak: peak(), seconds: process.resourceUsage().userCPUTime / 1e6 })}`,
  );
}
await trainer.dispose();
