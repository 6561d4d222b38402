import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine, type Engine, OnnxEngine, tf } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { customGradient, type Pass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import {
  diagnose,
  expManager,
  listCheckpoints,
  readDump,
  replay,
  Trainer,
} from '../../src/training/index.js';
import { RecordingView, temporaryFolder, weightsOf } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

async function failing(options: ToyOptions, config: object = {}, engine: Engine = createReferenceEngine()) {
  const folder = temporaryFolder();
  const view = new RecordingView();
  const settings = { max_steps: 8, num_sanity_val_steps: 0, handle_signals: false, ...config };
  const trainer = new Trainer(settings, { engine, view });
  await expManager(trainer, { explicit_log_dir: folder, name: 'toy', create_tensorboard_logger: false });
  const model = new ToyModel(options);
  const error = await trainer.fit(model).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { folder, view, model, engine, error: error as AnemoneError | undefined };
}

describe.each([
  ['reference', createReferenceEngine],
  ['onnxruntime', () => new OnnxEngine({ threads: 1 })],
] as const)('a batch with a NaN on %s', (_name, make) => {
  const poison = { batch: 5, value: Number.NaN };

  it('stops before the update and explains itself', async () => {
    const { error, folder, model, engine } = await failing({ poison }, {}, make());
    expect(error).toBeInstanceOf(AnemoneError);
    expect(error?.code).toBe('training.nonfinite');
    const text = error?.message ?? '';
    expect(text).toContain('at step 5 (epoch 1');
    expect(text).toContain('first not finite: the input x: 1 of 32 values are not finite');
    expect(text).toContain('toy-0-5-0.wav, toy-0-5-1.wav');
    expect(text).toMatch(/gradient norms before: \S+ \S+ \S+ \S+ \S+\n/);
    expect(text).toContain('likely cause: the input "x" itself has 1 values that are not finite');
    const healthy = await failing({}, { max_steps: 5 }, make());
    expect(await weightsOf(model, engine)).toEqual(await weightsOf(healthy.model, healthy.engine));
    const { checkpoints } = await listCheckpoints(join(folder, 'checkpoints'));
    expect(checkpoints[0].state.progress.step).toBe(5);
  });

  it('is written down and replayed with the same result', async () => {
    const { error } = await failing({ poison }, {}, make());
    const target = String(error?.details['dump']);
    expect(existsSync(join(target, 'explanation.txt'))).toBe(true);
    const again = await replay(await readDump(target), new ToyModel(), make(), target);
    expect(`${again.text}\n`).toBe(readFileSync(join(target, 'explanation.txt'), 'utf8'));
    expect(error?.message).toContain(again.text);
  });

  it('is skipped when told so', async () => {
    const { error, view, engine, model } = await failing({ poison }, { nonfinite: 'skip' }, make());
    expect(error).toBeUndefined();
    expect(view.lines.join('\n')).toMatch(/step 5 skipped \(1 so far\): loss NaN.*toy-0-5-0.wav/);
    expect((await weightsOf(model, engine)).every(Number.isFinite)).toBe(true);
  });
});

describe('finding the first layer', () => {
  it('names a layer whose output overflows, in forward order', async () => {
    const { error } = await failing({ optim: { name: 'sgd', lr: 1e30 } });
    expect(error?.message).toMatch(/first not finite: (the output of (first|second)|the loss)/);
    expect(error?.message).toMatch(/likely cause: the learning rate is 1.00e\+30.*no warm-up/);
  });

  it('names a layer that only the gradient breaks, in backward order', async () => {
    class Breaking extends ToyModel {
      override trainingStep({ x, y }: Parameters<ToyModel['trainingStep']>[0], pass: Pass) {
        const hidden = this.module.first.forward(x, pass);
        const broken = customGradient(
          [hidden],
          () => ({ value: tf.clone(hidden), saved: [] }),
          (dy) => [tf.mul(dy, Number.POSITIVE_INFINITY)],
        );
        return { loss: tf.mean(tf.squaredDifference(this.module.second.forward(tf.tanh(broken), pass), y)) };
      }
    }
    const model = new Breaking();
    const { inputs } = model.source.batch(0, 0);
    const { first, measurements } = await diagnose(
      model,
      createReferenceEngine(),
      inputs,
      new CounterRandom(0),
    );
    expect(first).toMatchObject({ stage: 'output gradient', name: 'first' });
    const stages = measurements.map(({ stage }) => stage);
    expect(stages.indexOf('output gradient')).toBeGreaterThan(stages.indexOf('loss'));
  });

  it('leaves states and memory as they were', async () => {
    const engine = createReferenceEngine();
    const model = new ToyModel();
    const { inputs } = model.source.batch(0, 0);
    const before = await weightsOf(model, engine);
    await diagnose(model, engine, inputs, new CounterRandom(0));
    const tensors = tf.memory().numTensors;
    await diagnose(model, engine, inputs, new CounterRandom(0));
    expect(await weightsOf(model, engine)).toEqual(before);
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

describe('accumulated gradients', () => {
  it('leave out the batch that is not finite and keep the others', async () => {
    const config = { nonfinite: 'skip', accumulate_grad_batches: 2, max_steps: 4 };
    const { view, engine, model } = await failing({ poison: { batch: 5, value: Number.NaN } }, config);
    expect(view.lines.join('\n')).toContain('step 2 skipped (1 so far)');
    expect((await weightsOf(model, engine)).every(Number.isFinite)).toBe(true);
  });
});
