// Speed of the loader alone: utterances and seconds of audio a second, decoding and features included, with
// nobody consuming but a loop. Prints a table to stderr and JSON to stdout.
//   npx tsx benchmarks/input.ts [--manifest FILE] [--workers 0,1,2] [--epochs 2] [--augment] [--cache]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MelFrontEnd, SpectrogramAugmentation } from '../src/audio/index.js';
import { configFromObject } from '../src/config/index.js';
import { dataSchema, openSpeechSource } from '../src/data/index.js';
import { encodeWav } from '../src/formats/index.js';
import { CounterRandom } from '../src/random/index.js';

const RATE = 16000;
const PREPROCESSOR = { sample_rate: RATE, features: 80, window_size: 0.025, window_stride: 0.01 };
const SPEC_AUGMENT = { freq_masks: 2, time_masks: 10, freq_width: 27, time_width: 0.05 };
const AUGMENTOR = {
  speed: { prob: 0.5, min_speed_rate: 0.9, max_speed_rate: 1.1, num_rates: 5 },
  white_noise: { prob: 0.5, min_level: -60, max_level: -40 },
};

const { values: flags } = parseArgs({
  options: {
    manifest: { type: 'string' },
    workers: { type: 'string', default: '0,1,2' },
    epochs: { type: 'string', default: '2' },
    augment: { type: 'boolean', default: false },
    cache: { type: 'boolean', default: false },
  },
});

interface Measurement {
  readonly workers: number;
  readonly utterances: number;
  readonly seconds: number;
  readonly utterancesPerSecond: number;
  readonly audioSecondsPerSecond: number;
  /** From opening the epoch to its first batch: start of the threads included. */
  readonly firstBatchSeconds: number;
  readonly peakRssMb: number;
}

/** 64 utterances of 8 s (as in the train-step benchmark) of noise with a tone. */
function generate(folder: string): string {
  mkdirSync(join(folder, 'wavs'));
  const lines = Array.from({ length: 64 }, (_, i) => {
    const random = new CounterRandom(i, 'benchmark');
    const samples = Float32Array.from(
      { length: 8 * RATE },
      (_, n) => 0.2 * Math.sin((n * (200 + 30 * i)) / RATE) + 0.1 * (random.uniform(n) - 0.5),
    );
    writeFileSync(join(folder, 'wavs', `${i}.wav`), encodeWav([samples], { sampleRate: RATE }));
    return JSON.stringify({ audio_filepath: `wavs/${i}.wav`, duration: 8, text: 'x'.repeat(40) });
  });
  const manifest = join(folder, 'train.jsonl');
  writeFileSync(manifest, lines.join('\n'));
  return manifest;
}

async function measure(manifest: string, workers: number, cache: string | null): Promise<Measurement> {
  const section = dataSchema.parse(
    configFromObject({
      manifest_filepath: manifest,
      batch_size: 8,
      num_workers: workers,
      max_duration: 30,
      feature_cache: cache,
      augmentor: flags.augment ? AUGMENTOR : null,
    }),
  );
  const source = await openSpeechSource({
    name: 'input',
    section,
    training: true,
    seed: 1,
    frontEnd: new MelFrontEnd(PREPROCESSOR),
    specAugment: new SpectrogramAugmentation(SPEC_AUGMENT),
    tokenize: (text) => [...text].map(() => 1),
  });
  if (!source) throw new Error(`${manifest} names no utterances`);
  const start = performance.now();
  let firstBatchSeconds = 0;
  let utterances = 0;
  let seconds = 0;
  let steadyFrom = start;
  let peakRss = 0;
  for (let epoch = 0; epoch <= Number(flags.epochs); epoch++) {
    for await (const batch of source.epoch(epoch)) {
      if (firstBatchSeconds === 0) firstBatchSeconds = (performance.now() - start) / 1000;
      peakRss = Math.max(peakRss, process.memoryUsage.rss());
      if (epoch === 0) continue; // warms up threads, code and, with --cache, the cache
      utterances += batch.size;
      seconds += batch.units;
    }
    if (epoch === 0) steadyFrom = performance.now();
  }
  const took = (performance.now() - steadyFrom) / 1000;
  await source.close();
  return {
    workers,
    utterances,
    seconds: Number(seconds.toFixed(1)),
    utterancesPerSecond: Number((utterances / took).toFixed(1)),
    audioSecondsPerSecond: Number((seconds / took).toFixed(1)),
    firstBatchSeconds: Number(firstBatchSeconds.toFixed(2)),
    peakRssMb: Math.round(peakRss / 2 ** 20),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'anemone-input-'));
try {
  const manifest = flags.manifest ?? generate(folder);
  const results: Measurement[] = [];
  process.stderr.write('workers  utterances/s  audio s/s  first batch  peak RSS\n');
  for (const workers of flags.workers.split(',').map(Number)) {
    const result = await measure(manifest, workers, flags.cache ? join(folder, 'cache') : null);
    results.push(result);
    const cells = [
      String(workers).padStart(7),
      result.utterancesPerSecond.toFixed(1).padStart(13),
      result.audioSecondsPerSecond.toFixed(0).padStart(10),
      `${result.firstBatchSeconds.toFixed(2)} s`.padStart(12),
      `${result.peakRssMb} MB`.padStart(9),
    ];
    process.stderr.write(`${cells.join(' ')}\n`);
  }
  const machine = `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}`;
  const { augment, cache } = flags;
  process.stdout.write(
    `${JSON.stringify({ benchmark: 'input', machine, manifest: flags.manifest ?? 'generated', augment, cache, results }, null, 2)}\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
