// `anemone export`: a trained model as one file for others. The file's ending says which kind.
import type { Command } from 'commander';
import { importOption } from './own-components.js';

interface ExportOptions {
  readonly weights: string;
  readonly import: readonly string[];
}

export function register(program: Command): void {
  program
    .command('export')
    .description('Write a trained model as one file: .nemo for NeMo, or .safetensors (weights alone).')
    .argument('<checkpoint>', 'a .ckpt folder, a .nemo file, or a run: its best checkpoint is taken')
    .argument('<file>', 'OUTPUT.nemo or OUTPUT.safetensors')
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .addOption(importOption())
    .action(exportModel);
}

async function exportModel(checkpoint: string, file: string, options: ExportOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { isArchivable } = await import('../nn/index.js');
  const { loadTrainedModel } = await import('./trained-model.js');
  const kind = /\.(nemo|safetensors)$/.exec(file)?.[1];
  if (!kind) {
    const message = 'the name of the file must end in .nemo or .safetensors';
    throw new AnemoneError({ code: 'cli.option', path: file, message });
  }
  const { weights, import: modules } = options;
  const { model, trainer, path } = await loadTrainedModel(checkpoint, { overrides: [], weights, modules });
  try {
    if (kind === 'safetensors') {
      const { safetensorsParts, writeFileAtomically } = await import('../formats/index.js');
      const dtypes = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const;
      const states = [...model.module.stateDict().values()].map(async (state) => {
        const { name, shape } = state;
        return [name, { dtype: dtypes[state.dtype], shape, data: await trainer.engine.read(state) }] as const;
      });
      await writeFileAtomically(file, safetensorsParts(await Promise.all(states), { format: 'pt' }));
    } else if (isArchivable(model)) {
      await model.saveTo(file, { engine: trainer.engine });
    } else {
      throw new AnemoneError({ code: 'cli.not-speech', message: 'this model cannot be a .nemo file' });
    }
    process.stderr.write(`${file} is the model of ${path}\n`);
  } finally {
    await trainer.dispose();
  }
}
