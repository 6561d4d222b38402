// `anemone export`: a trained model as files for others. The file's ending says which kind.
import type { Command } from 'commander';
import { printable } from '../errors/index.js';
import type { TrainableModel } from '../model/index.js';
import type { Trainer } from '../training/index.js';
import type { OnnxOptions } from './export-onnx.js';
import { above } from './option-number.js';
import { importOption } from './own-components.js';
import { tell } from './print.js';

interface ExportOptions extends Omit<OnnxOptions, 'for'> {
  readonly for?: OnnxOptions['for'] | 'huggingface';
  readonly weights: string;
  readonly merge?: boolean;
  readonly adapter?: string;
  readonly dtype?: string;
  readonly shardSize?: number;
  readonly import: readonly string[];
}

/** Writes a file of one kind; returns the names of what it wrote. */
type Writer = (
  model: TrainableModel,
  trainer: Trainer,
  file: string,
  options: OnnxOptions,
) => Promise<readonly string[]>;

const WRITERS: Readonly<Record<string, Writer>> = {
  nemo: writeNemo,
  safetensors: writeSafetensors,
  peft: writePeft,
  onnx: async (model, _trainer, file, options) =>
    (await import('./export-onnx.js')).exportToOnnx(model, file, options),
};

export function register(program: Command): void {
  program
    .command('export')
    .description(
      'Write a trained model for others: .nemo for NeMo, .onnx for ONNX Runtime, .safetensors, a folder for transformers.',
    )
    .argument(
      '<checkpoint>',
      'a .ckpt folder, a .nemo file, or a run: its best checkpoint is taken; to .nemo and with --for huggingface also .gguf, or such a folder',
    )
    .argument(
      '<file>',
      'OUTPUT.nemo, OUTPUT.safetensors (weights alone) or OUTPUT.onnx; of a transducer ' +
        'encoder-OUTPUT.onnx and decoder_joint-OUTPUT.onnx are made, of a multitask model decoder-OUTPUT.onnx; ' +
        'with --for sherpa or huggingface a folder',
    )
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--merge', 'add low-rank adapters (LoRA) to the weights beside which they stand')
    .option(
      '--adapter <folder>',
      'of a language model, with --merge: an adapter of PEFT to add to the weights',
    )
    .option('--decoder <branch>', 'to .onnx, of a hybrid model: rnnt (default) or ctc')
    .option('--max-frames <count>', 'to .onnx: encoder frames that the files take at least (default 5000)')
    .option(
      '--for <program>',
      'in ONNX, for nemo (default) or sherpa: a folder with model.onnx, or encoder.onnx, decoder.onnx and ' +
        'joiner.onnx, and tokens.txt, as sherpa-onnx takes them; peft: a folder of Hugging Face’s PEFT with the adapter; or ' +
        'huggingface: config.json, safetensors and tokenizer of a language model, as transformers takes them',
    )
    .option(
      '--dtype <type>',
      'for huggingface: float32, float16 or bfloat16 (default: as weights were stored)',
    )
    .option('--shard-size <gigabytes>', 'for huggingface: most of a file of weights (default 5)', above(0))
    .option('--streaming', 'to .onnx: an encoder for streams, whose caches go in and out')
    .option(
      '--att-context-size <left,right>',
      "with --streaming: one of the encoder's contexts; default the first",
    )
    .addOption(importOption())
    .action(exportModel);
}

async function exportModel(checkpoint: string, file: string, options: ExportOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { loadTrainedModel } = await import('./trained-model.js');
  if (options.for === 'huggingface') {
    const { exportToHuggingFace } = await import('./export-huggingface.js');
    return exportToHuggingFace(checkpoint, file, options);
  }
  if (options.for !== undefined && !['nemo', 'sherpa', 'peft'].includes(options.for)) {
    throw new AnemoneError({
      code: 'cli.option',
      path: '--for',
      message: 'expected nemo, sherpa, peft or huggingface',
    });
  }
  for (const key of ['dtype', 'shardSize'] as const) {
    const path = key === 'dtype' ? '--dtype' : '--shard-size';
    if (options[key] !== undefined) throw new AnemoneError({ code: 'cli.option', path, message: 'is for --for huggingface' }); // biome-ignore format: one line
  }
  const asked = { ...options, for: options.for };
  const kind =
    options.for === 'peft' ? 'peft' : options.for === 'sherpa' ? 'onnx' : (/\.(\w+)$/.exec(file)?.[1] ?? '');
  const write = WRITERS[kind];
  if (!write) {
    const message = 'the name of the file must end in .nemo, .safetensors or .onnx';
    throw new AnemoneError({ code: 'cli.option', path: file, message });
  }
  if (kind !== 'onnx' && kind !== 'peft') await (await import('./export-onnx.js')).onlyOnnx(asked);
  const { isForeign } = await import('./language-model.js');
  if (kind === 'nemo' && (options.adapter !== undefined || (await isForeign(checkpoint))))
    return exportToNemo(checkpoint, file, options);
  if (options.adapter !== undefined) {
    const message = 'is for .nemo and --for huggingface';
    throw new AnemoneError({ code: 'cli.option', path: '--adapter', message });
  }
  const { weights, import: modules } = options;
  const { model, trainer, path } = await loadTrainedModel(checkpoint, { overrides: [], weights, modules });
  try {
    if (options.merge) await merge(model, trainer);
    for (const writtenFile of await write(model, trainer, file, asked)) {
      tell(`${printable(writtenFile)} is of the model of ${printable(path)}\n`);
    }
  } finally {
    await trainer.dispose();
  }
}

/** A language model from elsewhere, or with an adapter from elsewhere, as NeMo's. */
async function exportToNemo(
  path: string,
  file: string,
  { weights, adapter, merge: merges = false, import: modules }: ExportOptions,
): Promise<void> {
  const { openLanguageModel } = await import('./language-model.js');
  const model = await openLanguageModel(path, { overrides: [], weights, modules, adapter, merges });
  try {
    await model.saveNemo(file);
    tell(`${printable(file)} is of the model of ${printable(path)}\n`);
  } finally {
    await model.trainer.dispose();
  }
}

/** @throws AnemoneError `cli.no-adapter` */
async function merge(model: TrainableModel, trainer: Trainer): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { Model } = await import('../model/index.js');
  if (!(model instanceof Model) || model.adapters.names.length === 0) {
    throw new AnemoneError({ code: 'cli.no-adapter', path: '--merge', message: 'the model has no adapters' });
  }
  await model.mergeAdapters(undefined, { engine: trainer.engine });
}

async function writePeft(
  model: TrainableModel,
  trainer: Trainer,
  folder: string,
): Promise<readonly string[]> {
  const { AnemoneError } = await import('../errors/index.js');
  const { MegatronGPTSFTModel } = await import('../lm/index.js');
  if (!(model instanceof MegatronGPTSFTModel)) {
    const message = 'folders of PEFT are for language models that were tuned by LoRA';
    throw new AnemoneError({ code: 'cli.option', path: '--for', message });
  }
  await model.savePeft(folder, { engine: trainer.engine });
  return [folder];
}

async function writeNemo(model: TrainableModel, trainer: Trainer, file: string): Promise<readonly string[]> {
  const { AnemoneError } = await import('../errors/index.js');
  const { isArchivable } = await import('../model/index.js');
  if (!isArchivable(model)) {
    throw new AnemoneError({ code: 'cli.not-speech', message: 'this model cannot be a .nemo file' });
  }
  await model.saveTo(file, { engine: trainer.engine });
  return [file];
}

async function writeSafetensors(
  model: TrainableModel,
  trainer: Trainer,
  file: string,
): Promise<readonly string[]> {
  const { safetensorsParts, writeFileAtomically } = await import('../formats/index.js');
  const { valueOwner } = await import('../nn/index.js');
  const { storedType } = await import('../engine/index.js');
  const states = [...model.module.stateDict().values()].map(async (state) => {
    const { name, shape } = state;
    const data = await trainer.engine.read(valueOwner(state));
    return [name, { dtype: storedType(state.dtype), shape, data }] as const;
  });
  await writeFileAtomically(file, safetensorsParts(await Promise.all(states), { format: 'pt' }));
  return [file];
}
