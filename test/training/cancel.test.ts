// A fit, validation or test that a signal ends: in a step, in its validation, before it begins. Nothing is lost.
import { describe, expect, it } from 'vitest';
import { type Engine, OnnxEngine, type Program } from '../../src/engine/index.js';
import { expManager, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder, weightsOf } from './helpers.js';
import { ToyModel, ToySource } from './toy-model.js';

const optim = { name: 'adamw', lr: 0.02 };
const config = { max_steps: 12, val_check_interval: 5, num_sanity_val_steps: 1, handle_signals: false };

/** Calls `fn` just before the program of a name is run for the n-th time. */
function before(name: string, n: number, fn: () => void): Engine {
  const engine = new OnnxEngine({ threads: 1 });
  let runs = 0;
  const compile: Engine['compile'] = (ownName, ...rest) => {
    const program = OnnxEngine.prototype.compile.call(engine, ownName, ...rest);
    if (ownName !== name) return program;
    const run: Program['run'] = (...args) => {
      if (++runs === n) queueMicrotask(fn);
      return program.run(...args);
    };
    return { ...program, run };
  };
  return Object.assign(engine, { compile });
}

async function trained(folder: string, engine: Engine, options: object = {}, settings: object = {}) {
  const view = new RecordingView();
  const trainer = new Trainer({ ...config, ...settings }, { engine, view });
  await expManager(trainer, {
    explicit_log_dir: folder,
    create_tensorboard_logger: false,
    resume_if_exists: true,
    resume_ignore_no_checkpoint: true,
    checkpoint_callback_params: { every_n_train_steps: 100 },
  });
  const model = new ToyModel({ optim });
  const result = await trainer.fit(model, options);
  return { ...result, view, weights: await weightsOf(model, engine) };
}

describe('a fit whose signal is aborted', () => {
  it.each([
    ['in a step', 'train-step', 7, 1, { step: 6 }],
    ['in a micro-step', 'train-micro-step', 12, 2, { step: 5 }],
    ['in the validation', 'toy-evaluation', 2, 1, { step: 5, validationPending: true }],
    ['in the sanity check', 'toy-evaluation', 1, 1, { step: 0 }],
  ] as const)('%s keeps the last whole step, and goes on from it to the same weights', async (_, name, n, accumulate_grad_batches, progress) => {
    const settings = { accumulate_grad_batches };
    const whole = await trained(temporaryFolder(), new OnnxEngine({ threads: 1 }), {}, settings);
    const folder = temporaryFolder();
    const controller = new AbortController();
    const engine = before(name, n, () => controller.abort());
    const cut = await trained(folder, engine, { signal: controller.signal }, settings);
    expect(cut.outcome).toEqual({ kind: 'interrupted', reason: 'aborted' });
    expect(cut.progress).toMatchObject(progress);
    const resumed = await trained(folder, new OnnxEngine({ threads: 1 }), {}, settings);
    expect(resumed.progress.step).toBe(12);
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.metrics['val/loss']).toBe(whole.metrics['val/loss']);
  }); // biome-ignore format: long

  it('before it begins runs nothing', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const { outcome, progress } = await trained(temporaryFolder(), engine, { signal: AbortSignal.abort() });
    expect(outcome).toEqual({ kind: 'interrupted', reason: 'aborted' });
    expect(progress.step).toBe(0);
    expect(engine.stats.runs).toBe(0);
  });

  it('has the same bits as one without, as long as it is not', async () => {
    const plain = await trained(temporaryFolder(), new OnnxEngine({ threads: 1 }));
    const { signal } = new AbortController();
    expect((await trained(temporaryFolder(), new OnnxEngine({ threads: 1 }), { signal })).weights).toEqual(plain.weights);
  }); // biome-ignore format: long
});

it.each(['validate', 'test'] as const)('%s ends with one error, its sources closed', async (kind) => {
  const engine = new OnnxEngine({ threads: 1 });
  const trainer = new Trainer(config, { engine, view: new RecordingView() });
  const controller = new AbortController();
  const source = new ToySource('set', { delay: 1 });
  const run = trainer[kind](new ToyModel({ optim }), { data: source, signal: controller.signal });
  setTimeout(() => controller.abort(), 3);
  await expect(run).rejects.toMatchObject({ code: 'engine.cancelled', exitCode: 2 });
  expect(source.opened).toBe(source.closed);
  await engine.dispose();
});
