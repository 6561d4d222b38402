// One training command, run twice with two threads, each in a process of its own, ends in the same bits. An embedding is
// looked up 1,632 times for three ids: so often that ONNX Runtime splits the sums of its gradient where it can.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { toYaml } from '../../src/config/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { listCheckpoints, type MetricRow, readMetricRows } from '../../src/training/index.js';
import { tinyModel, toneSpeech } from '../asr/support.js';

const BATCH = 32;
const TOKENS = 50;
const WIDTH = 384;
const STEPS = 3;
/** Columns of the metrics that tell of the machine. */
const OF_THE_MACHINE = /second|timing|wait|system/;

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'anemone-same-'));
const config = join(folder, 'same.yaml');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  const samples = toneSpeech('ab', 1);
  writeFileSync(join(folder, 'tone.wav'), encodeWav([samples], { sampleRate: 8000 }));
  const rows = Array.from({ length: BATCH }, (_, i) => {
    const text = Array.from({ length: TOKENS }, (_, k) => 'abc'[(i + k * k) % 3]).join('');
    return JSON.stringify({ audio_filepath: 'tone.wav', duration: samples.length / 8000, text });
  });
  writeFileSync(join(folder, 'train.json'), `${rows.join('\n')}\n`);
  const model = tinyModel({
    target: 'EncDecRNNTModel',
    decoder: {
      _target_: 'nemo.collections.asr.modules.StatelessTransducerDecoder',
      context_size: 2,
      normalization_mode: 'layer',
      prednet: { pred_hidden: 2 * WIDTH, pred_rnn_layers: 1, t_max: null, dropout: 0.1 },
    },
    train_ds: {
      manifest_filepath: join(folder, 'train.json'),
      sample_rate: 8000,
      batch_size: BATCH,
      shuffle: true,
      num_workers: 0,
    },
    optim: { name: 'adamw', lr: 0.01 },
  });
  const trainer = {
    max_steps: STEPS,
    log_every_n_steps: 1,
    seed: 5,
    engine: { name: 'onnxruntime', threads: 2 },
  };
  const manager = {
    create_tensorboard_logger: false,
    checkpoint_callback_params: { every_n_train_steps: STEPS },
  };
  writeFileSync(config, toYaml({ name: 'same', model, trainer, exp_manager: manager }));
});

interface Outcome {
  readonly metrics: readonly Readonly<Record<string, number | null>>[];
  readonly files: Readonly<Record<string, string>>;
}

/** The metrics of the training, and digests of what its checkpoint holds of the model and the optimizer. */
async function train(name: string): Promise<Outcome> {
  const log = join(folder, name);
  const override = `+exp_manager.explicit_log_dir=${log}`;
  await promisify(execFile)(process.execPath, ['--import', 'tsx', main, 'train', config, override, '--no-test']); // biome-ignore format: one command
  const rows = await readMetricRows(join(log, 'metrics.jsonl'));
  const [checkpoint] = (await listCheckpoints(join(log, 'checkpoints'))).checkpoints;
  const digest = (file: string) =>
    createHash('sha256').update(readFileSync(join(checkpoint.path, file))).digest('hex'); // biome-ignore format: one chain
  const files = ['weights.safetensors', 'optimizer.safetensors'];
  return {
    metrics: rows.map(withoutMachine),
    files: Object.fromEntries(files.map((file) => [file, digest(file)])),
  };
}

function withoutMachine(row: MetricRow): Readonly<Record<string, number | null>> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !OF_THE_MACHINE.test(name)));
}

it('the same training, run again, ends in the same bits', async () => {
  const first = await train('first');
  const trained = first.metrics.filter((row) => 'train/loss' in row);
  expect(trained.map(({ step }) => step)).toEqual([1, 2, 3]);
  for (const row of trained)
    expect([row['train/loss'], row['train/grad_norm']].every(Number.isFinite)).toBe(true);
  expect(await train('second')).toEqual(first);
});
