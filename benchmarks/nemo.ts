// What people do with NeMo's archives, here and in NeMo on the same CPU: restore one of 120 million parameters,
// transcribe a folder of recordings, and decode with a beam.
//   NEMO=DIR/bin/python npx tsx benchmarks/nemo.ts [--threads 2] [--rounds 5] [--utterances 64] [--beam 100]
//     [--tasks restore,transcribe,beam] [--strategy maes] [--size 4] [--temperature 0.03]
// NEMO is a Python with NeMo (benchmarks/parity/setup.sh); without it only ours is timed. Both get the same archives
// and WAV files. The weights are untrained; the bias of blank is set so that one frame in four emits a token, and in beam
// search the temperature so that, as in trained models, few tokens are worth following. How many transcripts are equal
// is printed too: timing different work would say nothing. Archives are restored from memory (the system's cache of
// files) and from disk, the cache forgotten by dd of GNU coreutils.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createModel, EncDecRNNTBPEModel } from '../src/asr/index.js';
import { loadConfig } from '../src/config/index.js';
import { OnnxEngine } from '../src/engine/index.js';
import { encodeWav } from '../src/formats/index.js';
import { CounterRandom } from '../src/random/index.js';
import { trainTokenizerFolder } from '../src/text/index.js';
import { calibrateBlank } from './lib/calibrate.js';
import { Contestant, machine, median, peerScript, ratio, summarize, table } from './lib/contestant.js';
import type { NemoTask } from './lib/nemo-child.js';
import { RATE, utteranceLengths, waveform } from './lib/waveforms.js';

const CONFIG = fileURLToPath(new URL('../conf/asr/conformer/conformer_transducer_bpe.yaml', import.meta.url));
const TEXT = fileURLToPath(new URL('../docs/training.md', import.meta.url));
const CHILD = fileURLToPath(new URL('lib/nemo-child.ts', import.meta.url));
const SHARE = 0.25;
/** Seconds of an utterance; those that are decoded with a beam are shorter. */
const [LONGEST, LONGEST_BEAM] = [12, 5];

const { values: flags } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    utterances: { type: 'string', default: '64' },
    beam: { type: 'string', default: '100' },
    batch: { type: 'string', default: '8' },
    tasks: { type: 'string', default: 'restore,transcribe,beam' },
    strategy: { type: 'string', default: 'maes' },
    size: { type: 'string', default: '4' },
    temperature: { type: 'string', default: '0.03' },
  },
});
const threads = Number(flags.threads);
const folder = mkdtempSync(join(tmpdir(), 'anemone-nemo-'));
const { dir: tokenizer } = trainTokenizerFolder({
  lines: readFileSync(TEXT, 'utf8').split('\n'),
  dataRoot: folder,
  vocabSize: 512,
  modelType: 'bpe',
  bosId: -1,
  eosId: -1,
});

/** An untrained model as an archive; with `audio`, one that emits tokens in it. */
async function archive(
  name: string,
  overrides: readonly string[],
  audio?: readonly Float32Array[],
): Promise<string> {
  const path = join(folder, `${name}.nemo`);
  const unset = ['train_ds', 'validation_ds'].map((set) => `model.${set}.manifest_filepath=null`);
  const { model: node } = loadConfig(CONFIG, [`model.tokenizer.dir=${tokenizer}`, ...unset, ...overrides]);
  const engine = new OnnxEngine({ threads });
  const model = createModel(node, { engine });
  if (!(model instanceof EncDecRNNTBPEModel)) throw new Error(`${CONFIG} describes no transducer`);
  if (audio) {
    await calibrateBlank(engine, model, SHARE, async () => {
      const transcripts = await model.transcribe(audio, { batchSize: audio.length });
      const tokens = transcripts.reduce((sum, transcript) => sum + transcript.tokens.length, 0);
      return tokens / audio.reduce((sum, { length }) => sum + length / RATE / model.frameSeconds, 0);
    });
  }
  await model.saveTo(path);
  await engine.dispose();
  return path;
}

function recordings(count: number, longest: number): string[] {
  const random = new CounterRandom(5);
  return utteranceLengths(count, longest, random).map((length, i) => {
    const path = join(folder, `${longest}-${i}.wav`);
    writeFileSync(path, encodeWav([waveform(length, random.derive(i))], { sampleRate: RATE }));
    return path;
  });
}

/** Makes the system read the file from disk the next time. */
function forget(path: string): void {
  const { status } = spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
  if (status !== 0) throw new Error('restoring from disk needs dd of GNU coreutils');
}

/** @param fromDisk whether the archive is read from disk each time, not from the system's cache */
async function compare(
  title: string,
  task: Partial<NemoTask>,
  rounds: number,
  fromDisk = false,
): Promise<void> {
  const argument = JSON.stringify({ files: [], batch: Number(flags.batch), threads, decoding: {}, ...task });
  const ours = await Contestant.start('anemone', process.execPath, ['--import', 'tsx', CHILD, argument]);
  const python = process.env['NEMO'];
  const theirs = python
    ? await Contestant.start('nemo', python, [peerScript('nemo_task.py'), argument], {
        OMP_NUM_THREADS: flags.threads,
      })
    : undefined;
  const contestants = [ours.contestant, ...(theirs ? [theirs.contestant] : [])];
  const reading: number[] = [];
  const prepare = () => fromDisk && task.model && forget(task.model);
  for (let round = 0; round <= rounds; round++) {
    prepare();
    const started = performance.now();
    if (task.task === 'restore' && task.model) readFileSync(task.model);
    if (round > 0) reading.push((performance.now() - started) / 1000);
    for (const contestant of contestants) {
      prepare();
      await contestant.run(round > 0);
    }
  }
  for (const contestant of contestants) contestant.end();
  console.log(`\n${title}\n${table(contestants.map(summarize))}`);
  if (theirs) {
    const { median: middle, min, max } = ratio(ours.contestant, theirs.contestant);
    const versions = `NeMo ${theirs.ready['nemo']}, torch ${theirs.ready['torch']}`;
    console.log(`time ours/NeMo's: ${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}), ${versions}`);
    const [a, b] = [ours.ready['texts'], theirs.ready['texts']] as (string[] | undefined)[];
    if (a && b) {
      const tokens = a.reduce((sum, text) => sum + text.split(' ').filter(Boolean).length, 0);
      const equal = a.filter((text, i) => text === b[i]).length;
      console.log(`${equal} of ${a.length} transcripts equal; ${tokens} tokens`);
    }
  }
  if (task.task === 'restore') {
    const ratios = ours.contestant.samples.map(({ seconds }, i) => seconds / reading[i]);
    console.log(`time ours/reading the archive's bytes: ${median(ratios).toFixed(2)}`);
  }
}

const few = utteranceLengths(8, LONGEST_BEAM, new CounterRandom(7)).map((length, i) =>
  waveform(length, new CounterRandom(8, i)),
);
const medium = ['model.encoder.d_model=256', 'model.encoder.n_heads=4', 'model.encoder.n_layers=16'];
const tasks = flags.tasks.split(',');
console.log(`${machine}, ${threads} threads`);
if (tasks.includes('restore')) {
  const title = 'Restore of a Conformer-transducer L (120 M parameters)';
  const task = { task: 'restore', model: await archive('large', []) } as const;
  await compare(`${title}, from memory`, task, Number(flags.rounds));
  await compare(`${title}, from disk`, task, Number(flags.rounds), true);
}
const model = tasks.some((task) => task !== 'restore') ? await archive('medium', medium, few) : '';
if (tasks.includes('transcribe')) {
  const files = recordings(Number(flags.utterances), LONGEST);
  const decoding = { strategy: 'greedy_batch' };
  const title = `Transcription of ${files.length} recordings of 2 to ${LONGEST} s, Conformer-transducer M, greedy`;
  await compare(title, { task: 'transcribe', model, files, decoding }, Number(flags.rounds));
}
if (tasks.includes('beam')) {
  const files = recordings(Number(flags.beam), LONGEST_BEAM);
  const beam = { beam_size: Number(flags.size), softmax_temperature: Number(flags.temperature) };
  const decoding = { strategy: flags.strategy, beam };
  const title = `The same of ${files.length} recordings of 2 to ${LONGEST_BEAM} s, ${flags.strategy}, beam ${flags.size}`;
  await compare(
    title,
    { task: 'transcribe', model, files, decoding },
    Math.max(1, Number(flags.rounds) >> 1),
  );
}
rmSync(folder, { recursive: true });
