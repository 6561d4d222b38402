// `anemone inspect`: what a model consists of, and what its stages make of a recording.
import type { Command } from 'commander';
import type { HostTensor } from '../engine/index.js';
import { printable } from '../errors/index.js';
import { wholeNumber } from './option-number.js';
import { importOption } from './own-components.js';
import { show, tell } from './print.js';

interface InspectOptions {
  readonly depth: number;
  readonly config?: boolean;
  readonly dump?: string;
  readonly text?: string;
  readonly lang?: string;
  readonly weights: string;
  readonly engine?: string;
  readonly import: readonly string[];
}

/** A named tensor of a model or file. */
interface Named {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
}

export function register(program: Command): void {
  program
    .command('inspect')
    .description('Show the parameters and config of a model, or what its stages compute of a recording.')
    .argument('<model>', 'a .ckpt folder, a .nemo file, a run, or a file of weights (PyTorch, safetensors)')
    .argument('[audio]', 'a WAV, FLAC or MP3 file: shows what each stage makes of it')
    .option('--depth <n>', 'levels of modules to list; 0 lists single tensors', wholeNumber(0), 2)
    .option('--no-config', 'leave out the config')
    .option('--dump <file>', 'with audio: write the stages to this safetensors file, under the names of NeMo')
    .option('--text <text>', 'with audio: its transcript, for losses and joint; default: what is recognised')
    .option('--lang <lang>', 'language of the text, for models of several languages')
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--engine <name>', 'onnxruntime, tensorflow or reference')
    .addOption(importOption())
    .action(inspect);
}

async function inspect(path: string, audio: string | undefined, options: InspectOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { depth } = options;
  if (options.dump && !audio) {
    throw new AnemoneError({ code: 'cli.option', path: '--dump', message: 'needs a recording to compute' });
  }
  if (!audio && (await isBareWeights(path))) {
    show(await describeFile(path, depth));
    return;
  }
  const { isSpeechModel, loadTrainedModel } = await import('./trained-model.js');
  const { weights, engine, import: modules } = options;
  const loadOptions = { overrides: [], weights, engine, modules };
  const { model, trainer, path: foundPath } = await loadTrainedModel(path, loadOptions);
  try {
    if (!audio) {
      const states = [...model.module.stateDict().values()];
      const { toYaml } = await import('../config/index.js');
      const { configFromValues } = await import('../config/index.js');
      const config = options.config === false ? '' : `\n${toYaml(configFromValues(model.config))}`;
      show(`${printable(foundPath)}: ${model.constructor.name}\n\n${table(states, depth)}${config}`);
      return;
    }
    if (!isSpeechModel(model)) {
      throw new AnemoneError({ code: 'cli.not-speech', message: 'this checkpoint is not a speech model' });
    }
    const { stagesOf } = await import('../asr/index.js');
    const { decodeAudio } = await import('../audio/index.js');
    const targetSampleRate = model.preprocessor.frontEnd.config.sample_rate;
    const { samples } = await decodeAudio(audio, { targetSampleRate });
    const { text: givenText, lang } = options;
    const stages = stagesOf(model, trainer.engine, samples, givenText, lang).catch((error: unknown) => {
      if (!(error instanceof AnemoneError) || error.code !== 'audio.too-short') throw error;
      const message = `too short for this model: ${samples.length} samples at ${targetSampleRate} Hz`;
      throw new AnemoneError({ code: error.code, message, position: { file: audio }, cause: error });
    });
    const { tensors, text, leftOut } = await stages;
    show(`${printable(audio)}: "${printable(text)}"\n\n${describeStages(tensors)}`);
    for (const stage of leftOut) {
      tell(`left out: ${stage}; a shorter recording or --text shows it\n`);
    }
    if (options.dump) await dump(options.dump, tensors, { text, audio });
  } finally {
    await trainer.dispose();
  }
}

/** A file that holds weights and no config. */
async function isBareWeights(path: string): Promise<boolean> {
  const { statSync } = await import('node:fs');
  return !path.endsWith('.nemo') && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
}

async function describeFile(path: string, depth: number): Promise<string> {
  const { openWeights } = await import('../formats/index.js');
  const file = await openWeights(path);
  try {
    const namedTensors = [...file.entries].map(([name, { shape, dtype }]) => ({
      name: printable(name),
      shape,
      dtype,
    }));
    return `${printable(path)}: ${namedTensors.length} tensors\n\n${table(namedTensors, depth)}`;
  } finally {
    await file.close();
  }
}

/** A row for each module of the given depth (or tensor), with its numbers and bytes. */
function table(tensors: readonly Named[], depth: number): string {
  const rows = new Map<string, { shape: string; numbers: number; bytes: number }>();
  let [total, bytes] = [0, 0];
  for (const { name, shape, dtype } of tensors) {
    const numbers = shape.reduce((a, b) => a * b, 1);
    const size = numbers * (BYTES[dtype] ?? 4);
    const key = depth === 0 ? name : name.split('.').slice(0, -1).slice(0, depth).join('.');
    const row = rows.get(key) ?? { shape: '', numbers: 0, bytes: 0 };
    const text = depth === 0 ? `${dtype} [${shape}]` : '';
    rows.set(key, { shape: text, numbers: row.numbers + numbers, bytes: row.bytes + size });
    total += numbers;
    bytes += size;
  }
  const lines = [...rows, ['total', { shape: '', numbers: total, bytes }] as const].map(
    ([key, row]) => [key, count(row.numbers), memory(row.bytes), row.shape] as const,
  );
  const width = (column: 0 | 1 | 2) => Math.max(...lines.map((line) => line[column].length));
  return lines
    .map(([key, numbers, size, shape]) =>
      `${key.padEnd(width(0))}  ${numbers.padStart(width(1))}  ${size.padStart(width(2))}  ${shape}`.trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

const BYTES: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  bool: 1,
};

function count(value: number): string {
  return value.toLocaleString('en-US').replaceAll(',', ' ');
}

function memory(bytes: number): string {
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

function describeStages(tensors: ReadonlyMap<string, HostTensor>): string {
  const lines = [...tensors].map(([name, { shape, data }]) => {
    let [sum, squares, least, most] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of data) {
      sum += value;
      squares += value * value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const mean = sum / data.length;
    const deviation = Math.sqrt(Math.max(0, squares / data.length - mean * mean));
    const text = (value: number) => value.toPrecision(4).padStart(11);
    return `${name.padEnd(26)} ${`[${shape}]`.padEnd(16)} ${[mean, deviation, least, most].map(text).join('')}`;
  });
  const heading = `${'stage'.padEnd(43)} ${['mean', 'deviation', 'least', 'most'].map((h) => h.padStart(11)).join('')}`;
  return `${[heading, ...lines].join('\n')}\n`;
}

async function dump(
  file: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const { safetensorsParts, writeFileAtomically } = await import('../formats/index.js');
  const entries = [...tensors].map(([name, { dtype, shape, data }]) => {
    return [name, { dtype: dtype === 'int32' ? 'I32' : 'F32', shape, data } as const] as const;
  });
  await writeFileAtomically(file, safetensorsParts(entries, metadata));
  tell(`${entries.length} tensors in ${printable(file)}\n`);
}
