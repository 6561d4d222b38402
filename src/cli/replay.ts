// `anemone replay`: repeats a training step whose loss was not finite and explains it again.

import type { Command } from 'commander';
import { containerWith, importOption } from './own-components.js';
import { show } from './print.js';

interface ReplayOptions {
  readonly engine?: string;
  readonly all?: boolean;
  readonly import: readonly string[];
}

export function register(program: Command): void {
  program
    .command('replay')
    .description('Repeat a step that training wrote down because its loss was not finite, and explain it.')
    .argument('<folder>', 'the folder training named (…/diagnosis/nonfinite-step=N)')
    .option('--engine <name>', 'onnxruntime, tensorflow or reference; default: as in the run')
    .option('--all', 'print the size of every input, output and gradient')
    .addOption(importOption())
    .action(replayStep);
}

async function replayStep(folder: string, options: ReplayOptions): Promise<void> {
  const { createModel, sealedBut } = await import('../asr/index.js');
  const { createEngine } = await import('../engine/index.js');
  const { readDump, replay } = await import('../training/index.js');
  const container = await containerWith(options.import);
  const dump = await readDump(folder);
  const engine = createEngine({ name: options.engine ?? dump.record.engine });
  try {
    const context = {
      engine,
      container,
      artifacts: dump.artifacts,
      sealed: sealedBut(),
      seed: dump.record.seed,
    };
    const model = createModel(dump.config['model'] as Parameters<typeof createModel>[0], context);
    const { text, diagnosis } = await replay(dump, model, engine, folder);
    show(`${text}\n`);
    if (!options.all) return;
    for (const { stage, name, maxAbs, nonfinite, count } of diagnosis.measurements) {
      const nonfiniteText = nonfinite === 0 ? '' : `, ${nonfinite} of ${count} not finite`;
      show(`${stage.padEnd(16)} ${name}: up to ${maxAbs.toPrecision(4)}${nonfiniteText}\n`);
    }
  } finally {
    await engine.dispose();
  }
}
