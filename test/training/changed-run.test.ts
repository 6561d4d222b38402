// A run that goes on with another config than it began with.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { expManager, listCheckpoints, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

interface Changed {
  readonly trainer?: object;
  readonly manager?: object;
  readonly toy?: ToyOptions;
  /** Further keys of the model's config. */
  readonly model?: object;
  readonly vocabulary?: string;
  readonly digest?: string;
  readonly engine?: string;
}

async function train(folder: string, steps: number, changed: Changed = {}): Promise<string> {
  const view = new RecordingView();
  const engine = createReferenceEngine();
  if (changed.engine) Object.defineProperty(engine, 'name', { value: changed.engine });
  const settings = { max_steps: steps, handle_signals: false, val_check_interval: 2, ...changed.trainer };
  const trainer = new Trainer(settings, { engine, view });
  await expManager(trainer, {
    explicit_log_dir: folder,
    name: 'toy',
    create_tensorboard_logger: false,
    create_report: false,
    resume_if_exists: true,
    resume_ignore_no_checkpoint: true,
    ...changed.manager,
  });
  const model = new ToyModel({ batches: 5, ...changed.toy });
  Object.assign(model.config, { labels: ['a', 'b'], ...changed.model });
  model.artifacts = async () => new Map([['labels.json', Buffer.from(changed.vocabulary ?? '["a","b"]')]]);
  Object.assign(model.source, { digest: () => changed.digest ?? 'these' });
  await trainer.fit(model);
  return view.lines.join('\n');
}

async function resumed(changed: Changed, before: Changed = {}): Promise<string> {
  const folder = temporaryFolder();
  await train(folder, 3, before);
  const lines = await train(folder, 3, changed);
  return lines.slice(lines.indexOf('resumed from')).replaceAll(folder, '');
}

describe('a run that goes on', () => {
  it('says nothing when all is as it was, written or left to its default', async () => {
    const lines = await resumed({ trainer: { gradient_clip_val: null, log_every_n_steps: 50 } });
    expect(lines).not.toContain('changed');
  });

  it.each<[string, Changed, RegExp]>([
    [
      'settings of the trainer',
      { trainer: { accumulate_grad_batches: 2 } },
      /trainer.accumulate_grad_batches: not set → 2/,
    ],
    ['precision', { trainer: { precision: 'bf16' } }, /trainer.precision: not set → "bf16"/],
    ['averages', { manager: { ema: { enable: true } } }, /exp_manager.ema.enable: not set → true/],
    [
      'settings of the model',
      { model: { train_ds: { manifest_filepath: 'b.json' } } },
      /manifest_filepath: not set → "b.json"/,
    ],
    [
      'the engine',
      { engine: 'onnxruntime' },
      /engine: reference → onnxruntime; results agree up to rounding/,
    ],
    [
      'the size of the data',
      { toy: { batches: 7 } },
      /toy: 7 batches an epoch instead of 5; .* goes on at batch 4/,
    ],
    ['data under the same name', { digest: 'others' }, /toy: other training data; .* goes on at batch 4/],
    [
      'data that is used up',
      { toy: { batches: 2 } },
      /toy: 2 batches an epoch instead of 5; the epoch in progress ends/,
    ],
  ])('tells of other %s', async (_what, changed, told) => {
    const lines = await resumed(changed);
    expect(lines).toMatch(/^resumed from .* \(step 3\); changed since then:/);
    expect(lines).toMatch(told);
  });

  it('refuses another vocabulary, and shows the setting', async () => {
    const changed = { model: { labels: ['b', 'a'] }, vocabulary: '["b","a"]' };
    await expect(resumed(changed)).rejects.toMatchObject({
      code: 'checkpoint.vocabulary',
      path: 'model.labels',
      exitCode: 2,
      message: expect.stringContaining('it was ["a","b"], now ["b","a"]') as string,
    });
    await expect(resumed({ vocabulary: '["b","a"]' })).rejects.toThrow(/labels.json differs/);
  });

  it('refuses another seed, and keeps its own when none is given', async () => {
    await expect(resumed({ trainer: { seed: 2 } }, { trainer: { seed: 1 } })).rejects.toThrow(
      /trainer.seed: the run of .* has seed 1; it cannot go on with 2 — set trainer.seed=1/,
    );
    const folder = temporaryFolder();
    await train(folder, 3, { trainer: { seed: 1 } });
    await train(folder, 4);
    const { checkpoints } = await listCheckpoints(join(folder, 'checkpoints'));
    expect(checkpoints[0].state).toMatchObject({ seed: 1, progress: { step: 4 } });
  });
});
