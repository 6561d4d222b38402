// Makes the whole data set: synthetic training and validation speech, spliced human test speech, three
// manifests. A finished folder carries a stamp of its options and is not made again.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CounterRandom } from '../../src/random/index.js';
import { hours, type ManifestLine, writeManifest } from '../lib/manifest.js';
import { writeHumanStrings } from './human.js';
import type { Job } from './job.js';
import type { PrepareOptions } from './options.js';
import { runJobs } from './pool.js';
import { type Split, sampleVoices } from './voices.js';

const STAMP = 'prepared.json';
/** Raised when the same options would give other audio. */
const RECIPE_VERSION = 2;
const TRAIN_SHARES = 12;
const DEV_SHARES = 4;

export interface PrepareProgress {
  readonly utterances: number;
  readonly totalUtterances: number;
  readonly audioSeconds: number;
}

export interface PrepareResult {
  readonly reused: boolean;
  readonly sets: Readonly<Record<string, { readonly utterances: number; readonly hours: number }>>;
}

/** Writes `train.json`, `dev.json`, `test.json` and `audio/` into `options.out`. */
export async function generateDigits(
  options: PrepareOptions,
  onProgress: (progress: PrepareProgress) => void = () => undefined,
): Promise<PrepareResult> {
  const { out, workers, ...choices } = options;
  const stamp = JSON.stringify({ version: RECIPE_VERSION, ...choices });
  const stampPath = join(out, STAMP);
  const known = await readFile(stampPath, 'utf8').catch(() => undefined);
  if (known !== undefined) {
    const previous = JSON.parse(known) as { stamp: string; sets: PrepareResult['sets'] };
    if (previous.stamp === stamp) return { reused: true, sets: previous.sets };
  }
  await mkdir(out, { recursive: true });
  await rm(stampPath, { force: true });
  await rm(join(out, 'audio'), { recursive: true, force: true });

  const jobs = [...sharesOf(options, 'train', TRAIN_SHARES), ...sharesOf(options, 'dev', DEV_SHARES)];
  const totalUtterances = jobs.reduce(
    (sum, job) => sum + job.voices.length * (job.strings.fluent + job.strings.spliced),
    0,
  );
  let utterances = 0;
  let audioSeconds = 0;
  const lines = await runJobs(jobs, workers, (seconds) => {
    utterances++;
    audioSeconds += seconds;
    onProgress({ utterances, totalUtterances, audioSeconds });
  });
  const bySplit = (split: Split) =>
    lines.filter((line) => line.audio_filepath.startsWith(`audio/${split}/`)) as ManifestLine[];
  const manifests: Record<string, ManifestLine[]> = {
    train: bySplit('train'),
    dev: bySplit('dev'),
    test: await writeHumanStrings(out, options.seed, options.testStrings),
  };
  const sets: Record<string, { utterances: number; hours: number }> = {};
  for (const [name, manifest] of Object.entries(manifests)) {
    await writeManifest(join(out, `${name}.json`), manifest);
    sets[name] = { utterances: manifest.length, hours: hours(manifest) };
  }
  await writeFile(stampPath, `${JSON.stringify({ stamp, sets }, null, 1)}\n`);
  return { reused: false, sets };
}

/** Voices dealt out in random order, so that slow engines do not gather in one share. */
function sharesOf(options: PrepareOptions, split: Split, shares: number): Job[] {
  const voices = sampleVoices(
    options.seed,
    split,
    split === 'train' ? options.trainVoices : options.devVoices,
  );
  const order = [...new CounterRandom(options.seed, 'shares', split).permutation(voices.length)];
  return Array.from({ length: shares }, (_, share) => ({
    out: options.out,
    seed: options.seed,
    split,
    voices: order.filter((_, i) => i % shares === share).map((i) => voices[i]),
    strings: split === 'train' ? options.trainStrings : options.devStrings,
  }));
}
