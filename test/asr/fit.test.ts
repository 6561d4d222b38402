// The whole road once: manifests on disk, the loader, the Trainer, validation, transcription of a file.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EncDecRNNTBPEModel } from '../../src/asr/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { Trainer } from '../../src/training/index.js';
import { tinyModel, toneSpeech } from './support.js';

let folder = '';
const texts = ['abc', 'ca', 'bb', 'cab', 'ab', 'c a', 'bca', 'acb'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anemone-fit-'));
  const lines: string[] = [];
  for (const [i, text] of texts.entries()) {
    const samples = toneSpeech(text, i);
    await writeFile(join(folder, `${i}.wav`), encodeWav([samples], { sampleRate: 8000 }));
    lines.push(JSON.stringify({ audio_filepath: `${i}.wav`, duration: samples.length / 8000, text }));
  }
  await writeFile(join(folder, 'manifest.json'), `${lines.join('\n')}\n`);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it('trains from manifests through the Trainer', async () => {
  const manifest = { manifest_filepath: join(folder, 'manifest.json'), batch_size: 4, num_workers: 0 };
  const trainer = new Trainer({
    max_epochs: 100,
    check_val_every_n_epoch: 100,
    num_sanity_val_steps: 1,
    enable_progress_bar: false,
    seed: 1,
  });
  const model = EncDecRNNTBPEModel.fromConfig(
    tinyModel({
      train_ds: manifest,
      validation_ds: manifest,
      spec_augment: {
        _target_: 'nemo.collections.asr.modules.SpectrogramAugmentation',
        freq_masks: 1,
        freq_width: 1,
      },
      optim: { name: 'adamw', lr: 0.02, betas: [0.8, 0.95], weight_decay: 0 },
    }),
    trainer,
  );
  const result = await trainer.fit(model);
  expect(result.metrics['val/loss']).toBeLessThan(2);
  expect(result.metrics['val/cer']).toBeLessThan(0.4);
  const [transcript] = await model.transcribe([join(folder, '0.wav')]);
  expect(typeof transcript.text).toBe('string');
  await trainer.engine.dispose();
}, 120_000);
