// `anemone transcribe`: audio files, or the recordings of a manifest, to text.

import type { Command } from 'commander';
import type { SpeechModel } from '../asr/index.js';

interface TranscribeOptions {
  readonly manifest?: string[];
  readonly batchSize: string;
  readonly output?: string;
  readonly weights: string;
  readonly engine?: string;
}

/** One thing to transcribe, and what a manifest says about it. */
interface Job {
  readonly path: string;
  readonly offset?: number;
  readonly duration?: number;
  readonly text?: string;
}

interface Done extends Job {
  readonly prediction: string;
}

/** Recordings that are decoded and held at a time. */
const BATCHES_AT_ONCE = 8;

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
    .option('--output <file>', 'write a manifest with pred_text instead of printing')
    .option('--weights <which>', 'auto (averaged if the run kept an average), raw or ema', 'auto')
    .option('--engine <name>', 'onnxruntime, tensorflow or reference')
    .action(transcribe);
}

async function transcribe(checkpoint: string, audio: string[], options: TranscribeOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { isSpeechModel, loadTrainedModel } = await import('./trained-model.js');
  const jobs = [...audio.map((path) => ({ path })), ...(await manifestJobs(options.manifest ?? []))];
  const batchSize = Number(options.batchSize);
  if (jobs.length === 0) {
    throw new AnemoneError({
      code: 'cli.nothing',
      message: 'name audio files or a --manifest to transcribe',
    });
  }
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new AnemoneError({ code: 'cli.option', path: '--batch-size', message: 'expected an integer ≥ 1' });
  }
  const { weights, engine } = options;
  const { model, trainer } = await loadTrainedModel(checkpoint, { overrides: [], weights, engine });
  try {
    if (!isSpeechModel(model)) {
      throw new AnemoneError({ code: 'cli.not-speech', message: 'this checkpoint is not a speech model' });
    }
    const done: Done[] = [];
    for (let from = 0; from < jobs.length; from += batchSize * BATCHES_AT_ONCE) {
      const part = await transcribeJobs(
        model,
        jobs.slice(from, from + batchSize * BATCHES_AT_ONCE),
        batchSize,
      );
      if (!options.output)
        for (const { path, prediction } of part) process.stdout.write(`${path}\t${prediction}\n`);
      done.push(...part);
    }
    await finish(done, options.output);
  } finally {
    await trainer.dispose();
  }
}

async function manifestJobs(files: readonly string[]): Promise<Job[]> {
  if (files.length === 0) return [];
  const { readManifests } = await import('../data/index.js');
  const entries = await readManifests(files, { requireText: false });
  return entries.map(({ audioPath, offset, duration, text }) => ({
    path: audioPath,
    offset,
    duration,
    text,
  }));
}

/** All jobs that work; the others are named on stderr and make the exit code 2. */
async function transcribeJobs(model: SpeechModel, jobs: readonly Job[], batchSize: number): Promise<Done[]> {
  const { AnemoneError } = await import('../errors/index.js');
  const inputs: { job: Job; samples: Float32Array }[] = [];
  for (const job of jobs) {
    try {
      inputs.push({ job, samples: await samplesOf(model, job) });
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      process.stderr.write(`error: ${error.message}\n`);
      process.exitCode = 2;
    }
  }
  const waveforms = inputs.map(({ samples }) => samples);
  const transcripts = waveforms.length === 0 ? [] : await model.transcribe(waveforms, { batchSize });
  return transcripts.map(({ text }, i) => ({ ...inputs[i].job, prediction: text }));
}

async function samplesOf(model: SpeechModel, { path, offset, duration }: Job): Promise<Float32Array> {
  const { decodeAudio } = await import('../audio/index.js');
  const targetSampleRate = model.preprocessor.frontEnd.config.sample_rate;
  return (await decodeAudio(path, { offset, duration, targetSampleRate })).samples;
}

async function finish(done: readonly Done[], output: string | undefined): Promise<void> {
  const { ErrorRate } = await import('../text/index.js');
  if (output !== undefined) {
    const { writeFile } = await import('node:fs/promises');
    const lines = done.map(({ path, offset, duration, text, prediction }) =>
      JSON.stringify({ audio_filepath: path, offset, duration, text, pred_text: prediction }),
    );
    await writeFile(output, `${lines.join('\n')}\n`);
    process.stderr.write(`${done.length} transcripts in ${output}\n`);
  }
  const referenced = done.filter(({ text }) => text !== undefined && text !== '');
  if (referenced.length === 0) return;
  const rate = new ErrorRate('word');
  for (const { text, prediction } of referenced) rate.add(text ?? '', prediction);
  process.stderr.write(`word error rate of ${referenced.length}: ${(100 * rate.rate).toFixed(2)}%\n`);
}
