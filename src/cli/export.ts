// `anemone export`: a trained model as files for others. The file's ending says which kind.
import type { Command } from 'commander';
import type { OnnxOptions } from './export-onnx.js';
import { importOption } from './own-components.js';

interface ExportOptions extends OnnxOptions {
  readonly weights: string;
  readonly import: readonly string[];
}

export function register(program: Command): void {
  program
    .command('export')
    .description('Write a trained model for other programs: .onnx for ONNX Runtime and its like.')
    .argument('<checkpoint>', 'a .ckpt folder, or a run: its best checkpoint is taken')
    .argument('<file>', 'OUTPUT.onnx; a transducer becomes encoder-OUTPUT.onnx and decoder_joint-OUTPUT.onnx')
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--decoder <branch>', 'of a hybrid model: rnnt (default) or ctc')
    .option('--max-frames <count>', 'encoder frames that the files take at least (default 5000)')
    .addOption(importOption())
    .action(exportModel);
}

async function exportModel(checkpoint: string, file: string, options: ExportOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { loadTrainedModel } = await import('./trained-model.js');
  if (!file.endsWith('.onnx')) {
    throw new AnemoneError({ code: 'cli.option', path: file, message: 'the file name must end in .onnx' });
  }
  const { weights, import: modules } = options;
  const { model, trainer, path } = await loadTrainedModel(checkpoint, { overrides: [], weights, modules });
  try {
    const { exportToOnnx } = await import('./export-onnx.js');
    for (const written of await exportToOnnx(model, file, options)) {
      process.stderr.write(`${written} is of the model of ${path}\n`);
    }
  } finally {
    await trainer.dispose();
  }
}
