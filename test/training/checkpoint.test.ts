import { chmodSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { memorySource, readSafetensorsHeader } from '../../src/formats/index.js';
import {
  Callback,
  expManager,
  listCheckpoints,
  resolveCheckpoint,
  Trainer,
  type TrainingRun,
} from '../../src/training/index.js';
import { RecordingView, temporaryFolder, weightsOf } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

const manager = (folder: string, extra: object = {}) => ({
  explicit_log_dir: folder,
  name: 'toy',
  create_tensorboard_logger: false,
  create_report: false,
  resume_if_exists: true,
  resume_ignore_no_checkpoint: true,
  ...extra,
});

async function train(folder: string, config: object, options: ToyOptions = {}, extra: object = {}) {
  const view = new RecordingView();
  const engine = createReferenceEngine();
  const trainer = new Trainer({ handle_signals: false, log_every_n_steps: 5, ...config }, { engine, view });
  await expManager(trainer, manager(folder, extra));
  const model = new ToyModel(options);
  const result = await trainer.fit(model);
  return { result, model, engine, view, weights: await weightsOf(model, engine) };
}

const names = (folder: string) => readdirSync(join(folder, 'checkpoints')).sort();

describe('checkpoints', () => {
  it('hold weights, optimizer, state and the files of the model', async () => {
    const folder = temporaryFolder();
    await train(folder, { max_epochs: 1 });
    const checkpoint = await resolveCheckpoint(folder);
    expect(readdirSync(checkpoint.path).sort()).toEqual([
      'artifacts',
      'config.yaml',
      'manifest.json',
      'optimizer.safetensors',
      'state.json',
      'weights.safetensors',
    ]);
    expect([...(await checkpoint.tensors('weights')).keys()].sort()).toEqual([
      'first.bias',
      'first.weight',
      'running_mean',
      'second.bias',
      'second.weight',
    ]);
    expect(checkpoint.state.progress).toMatchObject({ epoch: 0, batch: 10, step: 10, updates: 10 });
    expect((await checkpoint.artifacts()).get('vocabulary.txt')?.toString()).toBe('one\ntwo\n');
    expect((await checkpoint.config())['model']).toMatchObject({ target: 'toy' });
    const bytes = readFileSync(join(checkpoint.path, 'optimizer.safetensors'));
    const header = await readSafetensorsHeader(memorySource(bytes));
    expect(header.entries.has('exp_avg/first.weight')).toBe(true);
  });

  it('keep the best k and the last', async () => {
    const folder = temporaryFolder();
    const params = { checkpoint_callback_params: { monitor: 'val_loss', save_top_k: 2 } };
    await train(folder, { max_epochs: 6 }, {}, params);
    const { checkpoints } = await listCheckpoints(join(folder, 'checkpoints'));
    expect(checkpoints.length).toBeLessThanOrEqual(3);
    expect(checkpoints[0].state.progress.step).toBe(60);
    const best = await resolveCheckpoint(folder);
    expect(best.state.metrics['val/loss']).toBe(
      Math.min(...checkpoints.map((c) => c.state.metrics['val/loss'])),
    );
  });

  it('name a metric that does not exist', async () => {
    const params = { checkpoint_callback_params: { monitor: 'val_wers' } };
    await expect(train(temporaryFolder(), { max_epochs: 1 }, {}, params)).rejects.toThrow(
      /no metric "val_wers"/,
    );
  });
});

describe('resuming', () => {
  const optim = {
    name: 'adamw',
    lr: 0.02,
    sched: { name: 'CosineAnnealing', warmup_steps: 3, max_steps: 25 },
  };

  it.each([7, 10, 13, 20])('from step %i equals a run without a break', async (at) => {
    const whole = await train(temporaryFolder(), { max_steps: 25 }, { optim });
    const folder = temporaryFolder();
    await train(folder, { max_steps: at }, { optim });
    const resumed = await train(folder, { max_steps: 25 }, { optim });
    expect(resumed.view.lines.join()).toContain('resumed from');
    expect(resumed.view.steps[0]).toBe(at + 1);
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.result.metrics['val/loss']).toBe(whole.result.metrics['val/loss']);
  });

  it('carries averaged weights, the plateau and early stopping along', async () => {
    const extra = {
      ema: { enable: true, decay: 0.9 },
      create_early_stopping_callback: true,
      early_stopping_callback_params: { patience: 3, min_delta: 0 },
    };
    const plateau = {
      name: 'adamw',
      lr: 0.1,
      sched: { name: 'ReduceLROnPlateau', patience: 1, factor: 0.5 },
    };
    const config = { max_epochs: 12, val_check_interval: 0.5 };
    const whole = await train(temporaryFolder(), config, { optim: plateau }, extra);
    const folder = temporaryFolder();
    await train(folder, { ...config, max_steps: 23 }, { optim: plateau }, extra);
    const resumed = await train(folder, config, { optim: plateau }, extra);
    expect(resumed.result.progress.step).toBe(whole.result.progress.step);
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.result.metrics['train/learning_rate']).toBe(whole.result.metrics['train/learning_rate']);
  });

  it('works with accumulated gradients', async () => {
    const config = { accumulate_grad_batches: 3 };
    const whole = await train(temporaryFolder(), { ...config, max_steps: 10 });
    const folder = temporaryFolder();
    await train(folder, { ...config, max_steps: 6 });
    const resumed = await train(folder, { ...config, max_steps: 10 });
    expect(resumed.weights).toEqual(whole.weights);
  });

  it('makes up for a validation that was cut short', async () => {
    const config = { max_steps: 25, num_sanity_val_steps: 0, handle_signals: false };
    const whole = await train(temporaryFolder(), config, { optim });
    const folder = temporaryFolder();
    class Impatient extends Callback {
      readonly name = 'impatient';
      override async onValidationStart(run: TrainingRun): Promise<void> {
        if (run.progress.step === 20) run.stop({ kind: 'interrupted', reason: 'SIGINT' });
      }
    }
    const view = new RecordingView();
    const callbacks = [new Impatient()];
    const trainer = new Trainer(config, { engine: createReferenceEngine(), view, callbacks });
    await expManager(trainer, manager(folder, { ema: { enable: true } }));
    const { progress } = await trainer.fit(new ToyModel({ optim }));
    expect(progress).toMatchObject({ step: 20, validationPending: true });
    const resumed = await train(folder, config, { optim }, { ema: { enable: true } });
    expect(resumed.view.lines.join('\n')).toMatch(/resumed[\s\S]*validation at step 20/);
    expect(resumed.weights).toEqual(whole.weights);
  });

  it('uses the one before when the newest is cut off, and says so', async () => {
    const folder = temporaryFolder();
    await train(folder, { max_epochs: 2 });
    const { checkpoints } = await listCheckpoints(join(folder, 'checkpoints'));
    truncateSync(join(checkpoints[0].path, 'weights.safetensors'), 40);
    const resumed = await train(folder, { max_epochs: 3 });
    expect(resumed.view.lines.join('\n')).toMatch(
      /damaged: weights.safetensors has 40 bytes.*step=10.*is used/,
    );
    expect(resumed.view.steps[0]).toBe(11);
  });

  it('notices changed bytes, not only missing ones', async () => {
    const folder = temporaryFolder();
    await train(folder, { max_epochs: 2 });
    const { checkpoints } = await listCheckpoints(join(folder, 'checkpoints'));
    const file = join(checkpoints[0].path, 'optimizer.safetensors');
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(file, bytes);
    const resumed = await train(folder, { max_epochs: 2 });
    expect(resumed.view.lines.join('\n')).toMatch(/optimizer.safetensors is not what was written/);
  });

  it('says which tensors differ in another architecture', async () => {
    const folder = temporaryFolder();
    await train(folder, { max_epochs: 1 });
    await expect(train(folder, { max_epochs: 2 }, { hidden: 7 })).rejects.toThrow(
      /another architecture[\s\S]*of another shape: first.weight is \[4,6\], the model has \[4,7\]/,
    );
  });

  it('refuses the state of another optimizer', async () => {
    const folder = temporaryFolder();
    await train(folder, { max_epochs: 1 });
    await expect(train(folder, { max_epochs: 2 }, { optim: { name: 'sgd', lr: 0.1 } })).rejects.toThrow(
      /made with adamw/,
    );
  });

  it('is an error without a checkpoint unless it may be ignored', async () => {
    const extra = { resume_ignore_no_checkpoint: false };
    await expect(train(temporaryFolder(), { max_epochs: 1 }, {}, extra)).rejects.toThrow(
      /there is no checkpoint/,
    );
  });
});

describe('writing', () => {
  it('says when a file stands in the way', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    await expect(train(join(folder, 'file', 'run'), { max_epochs: 1 })).rejects.toThrow(
      /a file stands where/,
    );
  });

  it('says when it is not permitted', async ({ skip }) => {
    skip(process.getuid?.() === 0, 'root may write everywhere');
    const folder = temporaryFolder();
    chmodSync(folder, 0o500);
    await expect(train(join(folder, 'run'), { max_epochs: 1 })).rejects.toThrow(/no permission/);
  });

  it('says when the disk is full and keeps what was there', async () => {
    const folder = temporaryFolder();
    await train(folder, { max_epochs: 1 });
    const before = names(folder);
    const engine = createReferenceEngine();
    const trainer = new Trainer(
      { max_epochs: 3, handle_signals: false },
      { engine, view: new RecordingView() },
    );
    await expManager(trainer, manager(folder, { create_jsonl_logger: false }));
    const failing = trainer.engine.read.bind(trainer.engine);
    trainer.engine.read = async (state) => {
      if (state.name.startsWith('exp_avg_sq/'))
        throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      return failing(state);
    };
    await expect(trainer.fit(new ToyModel())).rejects.toThrow(
      /the disk is full.*earlier checkpoints are intact/,
    );
    expect(names(folder)).toEqual(before);
    expect(readdirSync(join(folder, 'checkpoints')).some((name) => name.startsWith('.'))).toBe(false);
  });
});
