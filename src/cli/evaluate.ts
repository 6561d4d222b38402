// `anemone validate` and `anemone test`: the metrics of a trained model on the sets of its config, or on
// manifests given here.

import type { Command } from 'commander';
import type { Config } from '../config/index.js';
import { splitOverrides } from './file-lists.js';
import { wholeNumber } from './option-number.js';
import { importOption } from './own-components.js';
import { show, showJson } from './print.js';

interface EvaluateOptions {
  readonly manifest?: string[] | undefined;
  readonly batchSize?: string;
  readonly weights: string;
  readonly engine?: string;
  readonly samples: number;
  readonly context?: number;
  readonly stride?: number;
  readonly tokens?: number;
  readonly adapter?: string;
  readonly json?: boolean;
  readonly import: readonly string[];
}

type Kind = 'validate' | 'test';

const DEFAULT_BATCH_SIZE = '16';
const SIZE_KEYS = ['batch_size', 'batch_duration', 'bucket_batch_size', 'bucketing_batch_size'];

export function register(program: Command): void {
  for (const kind of ['validate', 'test'] as const) {
    program
      .command(kind)
      .description(
        `Metrics of a checkpoint on the ${kind === 'test' ? 'test' : 'validation'} set of its config.`,
      )
      .argument(
        '<checkpoint>',
        'a .ckpt folder, a .nemo file, a run (its best checkpoint is taken), or a language model: also .gguf, or a folder of Hugging Face or PEFT',
      )
      .argument('[overrides...]', 'key=value changes of the config the checkpoint was made with')
      .option(
        '--manifest <file...>',
        'evaluate on these manifests instead; with a language model, on these texts',
      )
      .option('--batch-size <n>', 'utterances a batch')
      .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
      .option('--engine <name>', 'onnxruntime, tensorflow or reference')
      .option('--samples <n>', 'aligned reference/hypothesis pairs to print', wholeNumber(0), 5)
      .option(
        '--context <n>',
        'of a language model: tokens of the window that moves over each text',
        wholeNumber(2),
      )
      .option('--stride <n>', 'and so many at a time (default: half of the window)', wholeNumber(1))
      .option('--tokens <n>', 'and only the first n tokens of each text', wholeNumber(2))
      .option('--adapter <folder>', 'of a language model: an adapter of PEFT to add to the weights')
      .option('--json', 'print metrics and samples as JSON')
      .addOption(importOption())
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
  const { isLanguageModel, isTuning } = await import('../lm/index.js');
  const { isForeign } = await import('./language-model.js');
  const hasWindow = [options.context, options.stride, options.tokens].some((value) => value !== undefined);
  if (hasWindow || options.adapter !== undefined || (await isForeign(path))) {
    const { measureTexts } = await import('./measure-texts.js');
    return measureTexts(path, overrides, options);
  }
  const { loadTrainedModel } = await import('./trained-model.js');
  const { describeEvaluation } = await import('./evaluation-report.js');
  const section = kind === 'test' ? 'model.test_ds' : 'model.validation_ds';
  const { weights, engine, import: modules } = options;
  const { files, overrides: after } = splitOverrides(options.manifest ?? []);
  const ownOptions = { ...options, manifest: files.length > 0 ? files : undefined };
  const changes = (config: Config) => {
    const chosen = isTuning(config['model'])
      ? rowChanges(kind, ownOptions, config['model'] as Config)
      : isLanguageModel(config['model'])
        ? textChanges(kind, ownOptions)
        : setChanges(section, ownOptions, config);
    return [...chosen, ...overrides, ...after];
  };
  const { model, trainer } = await loadTrainedModel(path, { overrides: changes, weights, engine, modules });
  try {
    const { metrics, samples, seconds } = await trainer[kind](model);
    if (options.json) {
      const shownResult = { metrics, seconds, samples: samples.slice(0, options.samples) };
      showJson(`${JSON.stringify(shownResult, null, 2)}\n`);
    } else show(await describeEvaluation({ metrics, samples }, options.samples));
  } finally {
    await trainer.dispose();
  }
}

/** Overrides that make a tuned language model read other rows, as it reads those of its config. */
function rowChanges(kind: Kind, { manifest, batchSize }: EvaluateOptions, model: Config): string[] {
  const name = `${kind === 'test' ? 'test' : 'validation'}_ds`;
  const data = model['data'] as Readonly<Record<string, object | null | undefined>> | null;
  const like = data?.[name] ?? data?.['validation_ds'] ?? data?.['train_ds'] ?? {};
  const section = {
    ...like,
    ...(manifest !== undefined && { file_names: manifest, names: null }),
    ...(batchSize !== undefined && { micro_batch_size: Number(batchSize) }),
    shuffle: false,
    drop_last: false,
  };
  return manifest === undefined && batchSize === undefined ? [] : [`++model.data.${name}=${JSON.stringify(section)}`]; // biome-ignore format: one line
}

/** Overrides that make a language model read other texts. */
function textChanges(kind: Kind, { manifest, batchSize }: EvaluateOptions): string[] {
  const split = kind === 'test' ? 'test' : 'validation';
  const files = (manifest ?? []).map((file) => JSON.stringify(file));
  const texts = files.length > 0 ? [`++model.data.data_prefix={${split}: [${files.join(', ')}]}`] : [];
  const size = batchSize === undefined ? [] : [`++model.micro_batch_size=${batchSize}`, `++model.global_batch_size=${batchSize}`]; // biome-ignore format: one line
  return [...texts, ...size];
}

/** Overrides that make `section` read other manifests or batches. */
function setChanges(section: string, { manifest, batchSize }: EvaluateOptions, config: Config): string[] {
  const changes: string[] = [];
  const [, name] = section.split('.');
  const model = config['model'] as Readonly<Record<string, unknown>> | undefined;
  const ownSection = model?.[name] as Readonly<Record<string, unknown>> | null | undefined;
  // A source of the user's, or a list of sets, has no such keys: manifests take its place.
  const isReplaced =
    manifest !== undefined && (Array.isArray(ownSection) || ownSection?.['_target_'] !== undefined);
  if (isReplaced) changes.push(`~${section}`);
  if (manifest) {
    if (!isReplaced && ownSection?.['is_tarred']) changes.push(`++${section}.is_tarred=false`);
    const files = manifest.map((file) => JSON.stringify(file));
    changes.push(`++${section}.manifest_filepath=${files.length === 1 ? files[0] : `[${files.join(', ')}]`}`);
  }
  // A config without this set says nothing about its batches either; NeMo's may leave them to a bucketing key.
  const sized =
    !isReplaced && SIZE_KEYS.some((key) => ownSection?.[key] !== undefined && ownSection[key] !== null);
  const size = batchSize ?? (manifest && !sized ? DEFAULT_BATCH_SIZE : undefined);
  if (size !== undefined) changes.push(`++${section}.batch_size=${size}`);
  return changes;
}
