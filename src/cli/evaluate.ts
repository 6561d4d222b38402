// `anemone validate` and `anemone test`: the metrics of a trained model on the sets of its config, or on
// manifests given here.

import type { Command } from 'commander';

interface EvaluateOptions {
  readonly manifest?: string[];
  readonly batchSize?: string;
  readonly weights: string;
  readonly engine?: string;
  readonly samples: string;
  readonly json?: boolean;
}

type Kind = 'validate' | 'test';

export function register(program: Command): void {
  for (const kind of ['validate', 'test'] as const) {
    program
      .command(kind)
      .description(
        `Metrics of a checkpoint on the ${kind === 'test' ? 'test' : 'validation'} set of its config.`,
      )
      .argument('<checkpoint>', 'a .ckpt folder, a .nemo file, or a run: its best checkpoint is taken')
      .argument('[overrides...]', 'key=value changes of the config the checkpoint was made with')
      .option('--manifest <file...>', 'evaluate on these manifests instead')
      .option('--batch-size <n>', 'utterances a batch')
      .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
      .option('--engine <name>', 'onnxruntime, tensorflow or reference')
      .option('--samples <n>', 'aligned reference/hypothesis pairs to print', '5')
      .option('--json', 'print metrics and samples as JSON')
      .action((path: string, overrides: string[], options: EvaluateOptions) =>
        evaluate(kind, path, overrides, options),
      );
  }
}

async function evaluate(
  kind: Kind,
  path: string,
  overrides: string[],
  options: EvaluateOptions,
): Promise<void> {
  const { loadTrainedModel } = await import('./trained-model.js');
  const { describeEvaluation } = await import('./evaluation-report.js');
  const section = kind === 'test' ? 'model.test_ds' : 'model.validation_ds';
  const { weights, engine } = options;
  const changes = [...setChanges(section, options), ...overrides];
  const { model, trainer } = await loadTrainedModel(path, { overrides: changes, weights, engine });
  try {
    const { metrics, samples, seconds } = await trainer[kind](model);
    const text = options.json
      ? `${JSON.stringify({ metrics, seconds, samples: samples.slice(0, Number(options.samples)) }, null, 2)}\n`
      : await describeEvaluation({ metrics, samples }, Number(options.samples));
    process.stdout.write(text);
  } finally {
    await trainer.dispose();
  }
}

/** Overrides that make `section` read other manifests or batches. */
function setChanges(section: string, { manifest, batchSize }: EvaluateOptions): string[] {
  const changes: string[] = [];
  if (manifest) {
    const files = manifest.map((file) => JSON.stringify(file));
    changes.push(`++${section}.manifest_filepath=${files.length === 1 ? files[0] : `[${files.join(', ')}]`}`);
  }
  if (batchSize !== undefined) changes.push(`++${section}.batch_size=${batchSize}`);
  return changes;
}
