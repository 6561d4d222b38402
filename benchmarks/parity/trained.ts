// A model trained here and used there: learns tones in a minute, as a run of the Trainer that leaves a .nemo file.
// Then `nemo_side.py trained DIR` restores that file, transcribes the same recordings, and trains it on.
//
//     npx tsx benchmarks/parity/trained.ts DIR
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { encodeWav } from '../../src/formats/index.js';
import { createModel, expManager, type SpeechModel, Trainer } from '../../src/index.js';
import { tinyModel, toneSpeech } from '../../test/asr/support.js';

if (!process.argv[2]) throw new Error('say where the files may go');
const folder = resolve(process.argv[2], 'trained');
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const texts = [
  'ab',
  'ba',
  'c a',
  'bc',
  'cab',
  'b a',
  'abc',
  'cc',
  'a b',
  'bca',
  'ac',
  'cb',
  'aab',
  'bb c',
  'c',
  'a',
];
const rows: string[] = [];
const recordings: Float32Array[] = [];
for (const [i, text] of texts.entries()) {
  const samples = toneSpeech(text, i);
  recordings.push(samples);
  await writeFile(join(folder, `${i}.wav`), encodeWav([samples], { sampleRate: 8000 }));
  rows.push(JSON.stringify({ audio_filepath: `${i}.wav`, duration: samples.length / 8000, text }));
}
const manifest_filepath = join(folder, 'all.json');
await writeFile(manifest_filepath, `${rows.join('\n')}\n`);
const set = { manifest_filepath, sample_rate: 8000, batch_size: 6, num_workers: 0 };
const sched = { name: 'CosineAnnealing', warmup_steps: 10, min_lr: 1e-4 };
const node = tinyModel({
  nemo_compat: '1.x',
  train_ds: { ...set, shuffle: true },
  validation_ds: set,
  optim: { name: 'adamw', lr: 0.02, sched },
});
const trainer = new Trainer({ max_epochs: 300, check_val_every_n_epoch: 100 });
const run = await expManager(trainer, { explicit_log_dir: join(folder, 'run'), name: 'tones' });
const model = createModel(node, trainer) as SpeechModel;
await trainer.fit(model);
const transcripts = await model.transcribe(recordings);
await writeFile(join(folder, 'transcripts.json'), JSON.stringify(transcripts.map(({ text }) => text)));
console.log(
  `${transcripts.filter(({ text }, i) => text === texts[i]).length} of ${texts.length} right, in ${run}`,
);
await trainer.dispose();
