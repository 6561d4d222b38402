// The .nemo file that a run leaves beside its checkpoints. The model here only notes what it is asked to save.
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine, type Engine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import type { ReadState } from '../../src/nn/index.js';
import { type Checkpoint, expManager, listCheckpoints, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel } from './toy-model.js';

interface Saved {
  readonly path: string;
  readonly values: readonly number[];
}

class ArchivableToy extends ToyModel {
  readonly saved: Saved[] = [];
  refuses = false;

  async saveTo(
    path: string,
    options: { readonly engine?: Engine; readonly instead?: ReadState },
  ): Promise<void> {
    if (this.refuses) throw new AnemoneError({ code: 'nemo.not-nemos', message: 'NeMo has no toys' });
    const values: number[] = [];
    for (const state of this.module.stateDict().values()) {
      values.push(...((await options.instead?.(state)) ?? []));
    }
    this.saved.push({ path, values });
  }
}

async function runWith(params: object, section: object = {}, model = new ArchivableToy({})) {
  const folder = temporaryFolder();
  const view = new RecordingView();
  const engine = createReferenceEngine();
  const trainer = new Trainer({ max_epochs: 2, handle_signals: false }, { engine, view });
  await expManager(trainer, {
    explicit_log_dir: folder,
    name: 'toy',
    create_tensorboard_logger: false,
    create_report: false,
    checkpoint_callback_params: params,
    ...section,
  });
  await trainer.fit(model);
  return { folder, view, model };
}

/** Values of a checkpoint's weights, averaged ones first if there are any. */
async function valuesOf(checkpoint: Checkpoint, model: ToyModel): Promise<number[]> {
  const weights = await checkpoint.tensors('weights');
  const averages = checkpoint.has('ema') ? await checkpoint.tensors('ema') : undefined;
  return [...model.module.stateDict().keys()].flatMap((name) => {
    const tensor = averages?.get(`ema/${name}`) ?? weights.get(name);
    return Array.from(tensor?.data as Float32Array);
  });
}

describe('the .nemo file of a run', () => {
  it('is written once at the end, from the last checkpoint, unless it is not wanted', async () => {
    const { folder, model, view } = await runWith({});
    expect(model.saved.map(({ path }) => path)).toEqual([join(folder, 'checkpoints', 'toy.nemo')]);
    const last = (await listCheckpoints(join(folder, 'checkpoints'))).checkpoints[0];
    expect(model.saved[0].values).toEqual(await valuesOf(last, model));
    expect(view.lines.join()).toContain('saved ');
    expect((await runWith({ save_nemo_on_train_end: false })).model.saved).toEqual([]);
    expect((await runWith({}, { create_checkpoint_callback: false })).model.saved).toEqual([]);
  });

  it('can be written after every checkpoint, under another name', async () => {
    const { model } = await runWith({ always_save_nemo: true, postfix: '-model.nemo' });
    expect(model.saved.map(({ path }) => basename(path))).toEqual(Array(3).fill('toy-model.nemo'));
    expect(model.saved[0].values).not.toEqual(model.saved[2].values);
  });

  it('holds averaged weights where the run keeps them', async () => {
    const { folder, model } = await runWith({}, { ema: { enable: true, decay: 0.9 } });
    const last = (await listCheckpoints(join(folder, 'checkpoints'))).checkpoints[0];
    expect(model.saved[0].values).toEqual(await valuesOf(last, model));
  });

  it('is not worth a failed run: what NeMo cannot hold is said', async () => {
    const model = new ArchivableToy({});
    model.refuses = true;
    const { view } = await runWith({}, {}, model);
    expect(view.lines.join()).toContain('NeMo has no toys');
  });
});
