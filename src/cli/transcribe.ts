// `anemone transcribe`: audio files, or the recordings of a manifest, to text.
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { BufferMerge, SpeechModel } from '../asr/index.js';
import type { Resampler } from '../audio/index.js';
import { printable } from '../errors/index.js';
import { refuseOverrides } from './file-lists.js';
import { inWordsOf } from './option-words.js';
import { importOption } from './own-components.js';
import { show, tell } from './print.js';

interface TranscribeOptions {
  readonly manifest?: string[];
  readonly batchSize: string;
  readonly chunk?: string;
  readonly buffer?: string;
  readonly merge?: string;
  readonly streaming?: boolean;
  readonly sourceLang?: string;
  readonly targetLang?: string;
  readonly task?: string;
  readonly pnc?: string;
  readonly resampler?: string;
  readonly output?: string;
  readonly weights: string;
  readonly engine?: string;
  readonly set?: readonly string[];
  readonly import: readonly string[];
}

/** One thing to transcribe, and what a manifest says about it. */
interface Job {
  readonly path: string;
  readonly offset?: number;
  readonly duration?: number;
  readonly text?: string;
  /** The line of its manifest. */
  readonly line?: Readonly<Record<string, unknown>> | undefined;
  /** Folder of its manifest. */
  readonly base?: string;
  /** What a multitask model is to write of it. */
  readonly prompt?: Slots;
}

type Slots = Readonly<Record<string, string>>;

interface Done extends Job {
  readonly prediction: string;
}

/** Recordings that are sorted by length together; what is done appears after so many. */
const JOBS_AT_ONCE = 1024;

export function register(program: Command): void {
  program
    .command('transcribe')
    .description('Turn recordings into text with a trained model.')
    .argument('<checkpoint>', 'a .ckpt folder, a .nemo file, or a run: its best checkpoint is taken')
    .argument('[audio...]', 'WAV, FLAC or MP3 files')
    .option(
      '--manifest <file...>',
      'recordings listed in manifests; with texts, the error rate is printed too',
    )
    .option('--batch-size <n>', 'recordings a batch', '8')
    .option('--chunk <seconds>', 'for long recordings: so much of each buffer counts')
    .option('--buffer <seconds>', 'with --chunk: so much is heard at once; default 1.4 times the chunk')
    .option(
      '--merge <how>',
      'with --chunk: state (one search through all middles, default), middle or lcs, as in NeMo',
    )
    .option('--streaming', 'chunk by chunk, with partial texts on stderr; for models trained for it')
    .option('--source-lang <lang>', 'multitask models: the language spoken; default en')
    .option(
      '--target-lang <lang>',
      'multitask models and models with prompts: the language to write; default en, en-US',
    )
    .option('--task <task>', 'multitask models: asr or ast (translation); default asr')
    .option('--pnc <yes|no>', 'multitask models: with punctuation and capitals or without; default yes')
    .option(
      '--resampler <how>',
      'recordings of another rate: best (default), or scipy or torchaudio, number for number as in NeMo',
    )
    .option('--output <file>', 'write a manifest with pred_text instead of printing')
    .option(
      '--set <key=value...>',
      "changes of the model's config, such as the language model it decodes with",
    )
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--engine <name>', 'onnxruntime, tensorflow or reference')
    .addOption(importOption())
    .action(transcribe);
}

/** What the library's options are called here. */
const OPTION_WORDS = { chunkSeconds: '--chunk', bufferSeconds: '--buffer' };

async function transcribe(checkpoint: string, audio: string[], options: TranscribeOptions): Promise<void> {
  await inWordsOf(OPTION_WORDS, () => run(checkpoint, audio, options));
}

async function run(checkpoint: string, audio: string[], options: TranscribeOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { ErrorRate } = await import('../text/index.js');
  const { isSpeechModel, loadTrainedModel } = await import('./trained-model.js');
  const batchSize = Number(options.batchSize);
  refuseOverrides('--manifest', options.manifest ?? []);
  const { chunkSeconds, bufferSeconds, merge } = await lengths(options);
  const resampler = await resamplerOf(options.resampler);
  if (audio.length + (options.manifest ?? []).length === 0) {
    throw new AnemoneError({
      code: 'cli.nothing',
      message: 'name audio files or a --manifest to transcribe',
    });
  }
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new AnemoneError({ code: 'cli.option', path: '--batch-size', message: 'expected an integer ≥ 1' });
  }
  const { weights, engine, import: modules } = options;
  const { model, trainer } = await loadTrainedModel(checkpoint, {
    overrides: options.set ?? [],
    weights,
    engine,
    modules,
  });
  let output: Awaited<ReturnType<typeof outputFile>> | undefined;
  try {
    if (!isSpeechModel(model)) {
      throw new AnemoneError({ code: 'cli.not-speech', message: 'this checkpoint is not a speech model' });
    }
    const keys = promptKeys(model);
    const jobs: Job[] = [
      ...audio.map((path) => ({ path })),
      ...(await manifestJobs(options.manifest ?? [], keys)),
    ];
    output = options.output === undefined ? undefined : await outputFile(options.output);
    const rate = new ErrorRate('word');
    let done = 0;
    let referenced = 0;
    for (let from = 0; from < jobs.length; from += JOBS_AT_ONCE) {
      const part = await transcribeJobs(model, jobs.slice(from, from + JOBS_AT_ONCE), {
        batchSize,
        chunkSeconds,
        bufferSeconds,
        merge,
        prompt: promptOf(options),
        resampler,
        streaming: options.streaming ?? false,
      });
      await (output
        ? output.write(part.map((job) => manifestLine(job, String(options.output))))
        : print(part));
      for (const { text, prediction } of part) {
        if (!text) continue;
        rate.add(text, prediction);
        referenced++;
      }
      done += part.length;
    }
    if (output) tell(`${done} transcripts in ${printable(options.output ?? '')}\n`);
    if (referenced > 0) {
      const { errorRateText } = await import('./evaluation-report.js');
      tell(`word error rate of ${referenced}: ${errorRateText(rate.rate)}\n`);
    }
  } finally {
    await output?.close();
    await trainer.dispose();
  }
}

/** The manifest keys that say what a multitask model is to write; other models have none. */
function promptKeys(model: SpeechModel): readonly string[] {
  return 'prompt' in model ? (model.prompt as { readonly manifestKeys: readonly string[] }).manifestKeys : [];
}

/** Slots given as options; undefined when none is. */
function promptOf({ sourceLang, targetLang, task, pnc }: TranscribeOptions): Slots | undefined {
  const givenSlots = { source_lang: sourceLang, target_lang: targetLang, task, pnc };
  const slots = Object.entries(givenSlots).flatMap(([slot, value]) =>
    value === undefined ? [] : [[slot, value]],
  );
  return slots.length === 0 ? undefined : (Object.fromEntries(slots) as Slots);
}

async function manifestJobs(files: readonly string[], keys: readonly string[]): Promise<Job[]> {
  if (files.length === 0) return [];
  const { manifestFolder, readManifests } = await import('../data/index.js');
  const entries = await readManifests(files, { requireText: false, custom: keys, keepLine: true });
  return entries.map(({ audioPath, offset, duration, text, custom, line, source }) => ({
    path: audioPath,
    offset,
    duration,
    text,
    line,
    base: manifestFolder(source.file),
    ...(custom && { prompt: custom }),
  }));
}

/** All jobs that work; the others are named on stderr and make the exit code 2. */
async function transcribeJobs(
  model: SpeechModel,
  jobs: readonly Job[],
  {
    streaming,
    ...options
  }: Lengths & {
    readonly batchSize: number;
    readonly streaming: boolean;
    readonly prompt?: Slots | undefined;
    readonly resampler?: Resampler | undefined;
  },
): Promise<Done[]> {
  const badInputs = new Set<number>();
  const inputs = jobs.map(({ path, offset, duration, prompt }) => ({
    audioPath: path,
    offset,
    duration,
    ...(prompt && { prompt }),
  }));
  const onBad = (index: number, message: string): void => {
    badInputs.add(index);
    tell(`error: ${printable(message)}\n`);
    process.exitCode = 2;
  };
  const { streamRecordings } = await import('./transcribe-streaming.js');
  const { prompt, resampler } = options;
  const transcripts = streaming
    ? await streamRecordings(model, inputs, { onPartial: printPartial, onBad, prompt, resampler })
    : await model.transcribe(inputs, { ...options, onBad });
  return jobs.flatMap((job, i) =>
    badInputs.has(i) ? [] : { ...job, prediction: transcripts[i]?.text ?? '' },
  );
}

function printPartial(seconds: number, text: string): void {
  tell(`${seconds.toFixed(2)} s\t${text}\n`);
}

interface Lengths {
  readonly chunkSeconds?: number | undefined;
  readonly bufferSeconds?: number | undefined;
  readonly merge?: BufferMerge | undefined;
}

async function lengths({ chunk, buffer, merge, streaming }: TranscribeOptions): Promise<Lengths> {
  const { AnemoneError } = await import('../errors/index.js');
  const seconds = (path: string, text: string | undefined): number | undefined => {
    const value = text === undefined ? undefined : Number(text);
    if (value === undefined || value > 0) return value;
    throw new AnemoneError({ code: 'cli.option', path, message: 'expected seconds above 0' });
  };
  if (streaming && (chunk ?? buffer ?? merge) !== undefined) {
    const message = 'a stream is cut as its model was trained';
    throw new AnemoneError({
      code: 'cli.option',
      path: '--streaming',
      message,
      hint: 'leave out --chunk, --buffer and --merge',
    });
  }
  for (const [path, given] of Object.entries({ '--buffer': buffer, '--merge': merge })) {
    if (chunk === undefined && given !== undefined) {
      throw new AnemoneError({ code: 'cli.option', path, message: 'needs --chunk' });
    }
  }
  return {
    chunkSeconds: seconds('--chunk', chunk),
    bufferSeconds: seconds('--buffer', buffer),
    merge: await mergeOf(merge),
  };
}

async function mergeOf(name: string | undefined): Promise<BufferMerge | undefined> {
  const { MERGES } = await import('../asr/index.js');
  const foundMerge = MERGES.find((merge) => merge === name);
  if (foundMerge !== undefined || name === undefined) return foundMerge;
  const { AnemoneError } = await import('../errors/index.js');
  const message = `expected ${MERGES.join(', ')}, got "${name}"`;
  throw new AnemoneError({ code: 'cli.option', path: '--merge', message });
}

async function resamplerOf(name: string | undefined): Promise<Resampler | undefined> {
  const { RESAMPLERS } = await import('../audio/index.js');
  const resamplerName = RESAMPLERS.find((resampler) => resampler === name);
  if (resamplerName !== undefined || name === undefined) return resamplerName;
  const { AnemoneError } = await import('../errors/index.js');
  const message = `expected ${RESAMPLERS.join(', ')}, got "${name}"`;
  throw new AnemoneError({ code: 'cli.option', path: '--resampler', message });
}

function print(done: readonly Done[]): void {
  for (const { path, prediction } of done) show(`${printable(path)}\t${printable(prediction)}\n`);
}

/**
 * All keys of the manifest's line, as NeMo keeps them, and the prediction. A path stays as it was written where it leads
 * to the recording from the folder of the output, too.
 */
function manifestLine({ path, line, base, prediction }: Done, output: string): string {
  if (line === undefined) return JSON.stringify({ audio_filepath: path, pred_text: prediction });
  const key = line['audio_filepath'] == null ? 'audio_filename' : 'audio_filepath';
  const isMoved = base !== dirname(resolve(output));
  return JSON.stringify({ ...line, ...(isMoved && { [key]: path }), pred_text: prediction });
}

/** The file of `--output`; what does not fit on the disk or may not be written there is an error of the user's. */
async function outputFile(path: string) {
  const { open } = await import('node:fs/promises');
  const { AnemoneError } = await import('../errors/index.js');
  const writing = async <R>(write: () => Promise<R>): Promise<R> => {
    try {
      return await write();
    } catch (cause) {
      const message = `cannot write the transcripts: ${(cause as Error).message}`;
      throw new AnemoneError({ code: 'cli.output', path: '--output', message, cause });
    }
  };
  const file = await writing(() => open(path, 'w'));
  return {
    write: (lines: readonly string[]) =>
      writing(() => file.appendFile(lines.map((line) => `${line}\n`).join(''))),
    close: () => file.close(),
  };
}
