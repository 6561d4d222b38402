// trainer.precision: Lightning's names, what is refused, what a run says and does.
import { describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  type Engine,
  numbersOfType,
  OnnxEngine,
  type Tensors,
  tf,
} from '../../src/engine/index.js';
import type { AnemoneError } from '../../src/errors/index.js';
import type { Pass } from '../../src/nn/index.js';
import {
  type Callback,
  EmaCallback,
  expManager,
  listCheckpoints,
  readDump,
  replay,
  Trainer,
  type TrainerSection,
} from '../../src/training/index.js';
import { RecordingView, temporaryFolder, weightsOf } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

function made(precision: unknown) {
  const view = new RecordingView();
  const trainer = new Trainer({ precision: precision as 32 }, { view, engine: createReferenceEngine() });
  return { precision: trainer.options.precision, said: view.lines.join('\n') };
}

describe('trainer.precision', () => {
  it.each([
    [32, '32-true'], ['32', '32-true'], ['32-true', '32-true'],
    [16, '16-mixed'], ['16', '16-mixed'], ['16-mixed', '16-mixed'],
    ['bf16', 'bf16-mixed'], ['bf16-mixed', 'bf16-mixed'],
    ['16-true', '16-true'], ['bf16-true', 'bf16-true'],
  ])('%s is %s', (value, meant) => {
    expect(made(value)).toEqual({ precision: meant, said: '' });
  }); // biome-ignore format: a table

  it.each([64, '64', '64-true', 'transformer-engine', 'half', 8, null, true, 'toString'])('%s is an error', (value) => {
    expect(() => made(value)).toThrow(
      expect.objectContaining({ code: 'config.invalid-value', path: 'precision' }),
    );
  }); // biome-ignore format: one line reads better

  it('names the nearest, and why what Lightning knows cannot be', () => {
    const messageOf = (value: unknown): string => {
      try {
        made(value);
        return '';
      } catch (error) {
        return String((error as AnemoneError).message);
      }
    };
    expect(messageOf('16-mix')).toContain('did you mean "16-mixed"');
    expect(messageOf('bf-16')).toContain('bf16');
    expect(messageOf(64)).toContain('nothing is computed in 64 bits');
    expect(messageOf('transformer-engine')).toContain('NVIDIA');
  });

  it('is refused in one line by an engine that does not say how', async () => {
    const silent = { ...engineWithout(createReferenceEngine()) };
    const trainer = new Trainer(
      { precision: 16, max_steps: 1 },
      { engine: silent, view: new RecordingView() },
    );
    await expect(trainer.fit(new ToyModel())).rejects.toThrow(
      expect.objectContaining({ code: 'engine.precision' }),
    );
  });
});

/** Of an engine that knows nothing of precision. */
function engineWithout(engine: Engine): Engine {
  return {
    name: 'own',
    stats: engine.stats,
    compile: (...args) => engine.compile(...args),
    read: (state) => engine.read(state),
    write: (state, value) => engine.write(state, value),
    release: (states) => engine.release(states),
    dispose: () => engine.dispose(),
  };
}

interface Run {
  readonly options?: TrainerSection;
  readonly toy?: ToyOptions;
  readonly model?: ToyModel;
  readonly engine?: Engine;
  readonly folder?: string;
  readonly callbacks?: readonly Callback[];
}

async function fitted({
  options = {},
  toy = {},
  model = new ToyModel(toy),
  engine = createReferenceEngine(),
  folder,
  callbacks = [],
}: Run) {
  // biome-ignore format: one line reads better
  const view = new RecordingView();
  const rows: Record<string, number>[] = [];
  const losses: number[] = [];
  const committed: boolean[] = [];
  const watch = {
    name: 'watch',
    onStep: async (
      _run: unknown,
      step: { loss: number; committed: boolean; logs: Record<string, number> },
    ) => {
      losses.push(step.loss);
      committed.push(step.committed);
      rows.push(step.logs);
    },
  };
  const trainer = new Trainer(
    { max_steps: 6, num_sanity_val_steps: 0, handle_signals: false, ...options } as TrainerSection,
    { engine, view, callbacks: [...callbacks, watching(watch)] },
  );
  if (folder !== undefined)
    await expManager(trainer, { explicit_log_dir: folder, name: 'toy', create_tensorboard_logger: false, resume_if_exists: true, resume_ignore_no_checkpoint: true }); // biome-ignore format: one line reads better
  const result = await trainer.fit(model).then(
    (fit) => ({ fit, error: undefined }),
    (error: AnemoneError) => ({ fit: undefined, error }),
  );
  await trainer.dispose();
  return { ...result, view, losses, committed, rows, weights: await weightsOf(model, engine), model, engine };
}

function watching(parts: object): Callback {
  return Object.assign(new EmaCallback({ decay: 0, everyNSteps: 1, validateOriginalWeights: true }), {
    onFitStart: async () => {},
    onStep: async () => {},
    onValidationStart: async () => {},
    onValidationEnd: async () => {},
    onFitEnd: async () => {},
    tensors: () => [],
    state: () => undefined,
    ...parts,
  });
}

const engines = [
  ['reference', createReferenceEngine],
  ['onnxruntime', () => new OnnxEngine({ threads: 1 })],
] as const;

describe.each(engines)('a run on %s', (_name, make) => {
  it.each(['16-mixed', 'bf16-mixed'] as const)(
    'in %s says once what happens, and trains',
    async (precision) => {
      const plain = await fitted({ engine: make() });
      const low = await fitted({ options: { precision, loss_scale: { init_scale: 256 } }, engine: make() });
      expect(plain.view.lines.filter((line) => line.startsWith('precision'))).toEqual([]);
      const said = low.view.lines.filter((line) => line.startsWith('precision'));
      expect(said).toHaveLength(1);
      expect(said[0]).toContain(`precision ${precision}: `);
      expect(said[0]).toContain('rehearsed');
      expect(said[0].includes('loss scale 256, dynamic')).toBe(precision === '16-mixed');
      expect(low.losses[0]).not.toBe(plain.losses[0]);
      low.losses.forEach((loss, i) => {
        expect(Math.abs(loss / plain.losses[i] - 1)).toBeLessThan(0.03);
      });
      expect(low.weights).not.toEqual(plain.weights);
    },
  );

  it('a step that overflows changes nothing but the scale, and is counted', async () => {
    const options = { precision: 16, loss_scale: { init_scale: 2 ** 40 }, log_every_n_steps: 1 } as const;
    const once = await fitted({ options: { ...options, max_steps: 1 }, engine: make() });
    const before = await fitted({ options: { ...options, max_steps: 0 }, engine: make() });
    expect(once.committed).toEqual([false]);
    expect(once.weights).toEqual(before.weights);
    expect(once.fit?.progress.updates).toBe(0);
    expect(once.view.lines.join('\n')).toContain(
      `step 0 skipped (1 so far): gradients overflowed at loss scale ${2 ** 40}; the next is ${2 ** 39}`,
    );
    const more = await fitted({ options: { ...options, max_steps: 30 }, engine: make() });
    const skips = more.committed.indexOf(true);
    expect(skips).toBeGreaterThan(1);
    const halved = (steps: number) => more.committed.slice(0, steps).filter((committed) => !committed).length;
    expect(more.rows.map((logs) => logs['loss_scale'])).toEqual(
      more.committed.map((_, i) => 2 ** (40 - halved(i))),
    );
    expect(more.fit?.metrics['train/skipped_steps']).toBe(halved(30));
    expect(more.fit?.metrics['train/loss_scale']).toBe(2 ** (40 - halved(29)));
    expect(more.fit?.progress.updates).toBe(30 - halved(30));
  });
});

describe('a scaled step', () => {
  const engine = () => new OnnxEngine({ threads: 1 });
  const clipped = { gradient_clip_val: 0.05 };

  it('is clipped by what its gradients are without the scale', async () => {
    // A power of two leaves no trace where nothing overflows and nothing vanishes.
    const runs = [];
    for (const loss_scale of [64, 1024]) {
      runs.push(await fitted({ options: { precision: 16, loss_scale, ...clipped }, engine: engine() }));
    }
    expect(runs[0].weights).toEqual(runs[1].weights);
    expect(runs[0].losses).toEqual(runs[1].losses);
    const free = await fitted({ options: { precision: 16, loss_scale: 64 }, engine: engine() });
    expect(free.weights).not.toEqual(runs[0].weights);
  });

  it('of several batches is skipped as a whole when one of them overflows', async () => {
    const options = {
      precision: 16,
      accumulate_grad_batches: 3,
      loss_scale: { init_scale: 2 ** 40 },
    } as const;
    const before = await fitted({ options: { ...options, max_steps: 0 }, engine: engine() });
    const once = await fitted({ options: { ...options, max_steps: 1 }, engine: engine() });
    expect(once.committed).toEqual([false]);
    expect(once.weights).toEqual(before.weights);
    const more = await fitted({ options: { ...options, max_steps: 40, max_epochs: 40 }, engine: engine() });
    expect(more.committed.includes(true)).toBe(true);
    expect(more.rows[1]['loss_scale']).toBe(2 ** 39);
  });

  it('that overflows leaves averages of weights alone', async () => {
    const options = { precision: 16, loss_scale: { init_scale: 2 ** 60 }, max_steps: 3 } as const;
    const ema = new EmaCallback({ decay: 0.5, everyNSteps: 1, validateOriginalWeights: false });
    const { engine: used, model, committed } = await fitted({ options, engine: engine(), callbacks: [ema] });
    expect(committed).toEqual([false, false, false]);
    const averages = ema.tensors({ model });
    const parameters = [...model.module.parameters()];
    for (const [i, average] of averages.entries()) {
      expect(await used.read(average)).toEqual(await used.read(parameters[i]));
    }
  });

  it('is resumed with the scale and the count that the checkpoint holds', async () => {
    const loss_scale = { init_scale: 2 ** 36, growth_interval: 4 };
    const options = { precision: 16, loss_scale, max_epochs: 20, max_steps: 40 } as const;
    const whole = await fitted({ options, engine: engine() });
    const folder = temporaryFolder();
    await fitted({ options: { ...options, max_steps: 3 }, engine: engine(), folder });
    const { checkpoints } = await listCheckpoints(`${folder}/checkpoints`);
    expect(checkpoints[0].state.lossScale).toEqual({ scale: 2 ** 33, growthTracker: 0, hysteresisTracker: -2, skipped: 3 }); // biome-ignore format: one line reads better
    const resumed = await fitted({ options, engine: engine(), folder });
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.rows.map((logs) => logs['loss_scale'])).toEqual(
      whole.rows.slice(3).map((logs) => logs['loss_scale']),
    );
  });

  it('of a constant scale that overflows is a step whose gradient is not finite', async () => {
    const { error } = await fitted({ options: { precision: 16, loss_scale: 2 ** 60 }, engine: engine(), folder: temporaryFolder() }); // biome-ignore format: one line reads better
    expect(error?.code).toBe('training.nonfinite');
    expect(error?.message).toContain('first not finite: the gradient');
  });
});

/** A network whose first layer is given numbers that float16 does not hold. */
class LoudModel extends ToyModel {
  override trainingStep({ x, y }: Tensors, pass: Pass) {
    return super.trainingStep({ x: tf.mul(x, 1e6), y }, pass);
  }
}

describe('a scale that collapses', () => {
  it('ends the run, naming the first layer that overflows, and can be replayed', async () => {
    const folder = temporaryFolder();
    const run = await fitted({ options: { precision: 16, max_steps: 100, max_epochs: 100 }, model: new LoudModel(), folder }); // biome-ignore format: one line reads better
    expect(run.committed).toEqual(Array.from({ length: 16 }, () => false));
    expect(run.error?.code).toBe('training.nonfinite');
    const text = run.error?.message ?? '';
    expect(text).toContain('first not finite: the output of first:');
    expect(text).toContain('likely cause: products are computed in float16, which ends at 65504');
    expect(text).toContain('the loss scale has shrunk to 1');
    const target = String(run.error?.details['dump']);
    const dump = await readDump(target);
    expect(dump.record.precision).toBe('16-mixed');
    const again = await replay(dump, new LoudModel(), createReferenceEngine(), target);
    expect(again.text).toContain('first not finite: the output of first:');
  });

  it('does not stand in for numbers that are not finite in the data', async () => {
    const { error, committed } = await fitted({ options: { precision: 16 }, toy: { poison: { batch: 2, value: Number.NaN } }, folder: temporaryFolder() }); // biome-ignore format: one line reads better
    expect(committed.length).toBe(2);
    expect(error?.message).toContain('first not finite: the input x');
  });
});

describe.each(engines)('weights stored in 16 bits on %s', (_name, make) => {
  it.each([
    ['16-true', 'float16', 11],
    ['bf16-true', 'bfloat16', 8],
  ] as const)(
    '%s: they and the moments are %s at every step, in checkpoints too',
    async (precision, type, digits) => {
      const folder = temporaryFolder();
      const optim = { name: 'adamw', lr: 0.01, eps: 1e-3 };
      const options = {
        precision,
        max_epochs: 9,
        ...(precision === '16-true' && { loss_scale: { init_scale: 256 } }),
      };
      const run = await fitted({
        options: { ...options, max_steps: 4 },
        toy: { optim },
        engine: make(),
        folder,
      });
      const said = run.view.lines.find((line) => line.startsWith('precision'));
      expect(said).toContain(`weights and moments are stored in ${type}`);
      expect(run.losses.every(Number.isFinite)).toBe(true);
      for (const parameter of run.model.module.parameters()) {
        expect(parameter.dtype).toBe(type);
        const numbers = numbersOfType(type, await run.engine.read(parameter));
        // No number has more digits than the type.
        for (const number of numbers) {
          const unit = 2 ** (Math.floor(Math.log2(Math.abs(number) || 1)) - digits + 1);
          expect(Number.isInteger(number / unit) || Math.abs(number) < 2 ** -14).toBe(true);
        }
      }
      const { checkpoints } = await listCheckpoints(`${folder}/checkpoints`);
      const name = type === 'float16' ? 'F16' : 'BF16';
      for (const group of ['weights', 'optimizer']) {
        const tensors = [...(await checkpoints[0].tensors(group))].filter(([tensor]) => !tensor.includes('running_mean')); // biome-ignore format: one line reads better
        expect(tensors.length).toBeGreaterThan(3);
        for (const [, tensor] of tensors) expect(tensor.dtype).toBe(name);
      }
      const resumed = await fitted({
        options: { ...options, max_steps: 8 },
        toy: { optim },
        engine: make(),
        folder,
      });
      const whole = await fitted({ options: { ...options, max_steps: 8 }, toy: { optim }, engine: make() });
      expect(resumed.weights).toEqual(whole.weights);
    },
  );

  it('are not taken over by a run of another precision unless it says so', async () => {
    const folder = temporaryFolder();
    await fitted({ options: { precision: 'bf16-true', max_steps: 2 }, engine: make(), folder });
    const other = { precision: '32-true', max_steps: 4, max_epochs: 3 } as const;
    const refused = await fitted({ options: other, engine: make(), folder });
    expect(refused.error).toMatchObject({ code: 'checkpoint.precision', path: 'trainer.precision' });
    expect(refused.error?.message).toContain('in bfloat16, the run in float32');
    const taken = await fitted({ options: { ...other, convert_precision: true }, engine: make(), folder });
    expect(taken.fit?.progress.step).toBe(4);
    expect([...taken.model.module.parameters()].map(({ dtype }) => dtype)).toEqual(Array(4).fill('float32'));
  });

  it('have averages in float32', async () => {
    const ema = new EmaCallback({ decay: 0.5, everyNSteps: 1, validateOriginalWeights: false });
    const run = await fitted({ options: { precision: 'bf16-true', max_steps: 3 }, engine: make(), callbacks: [ema] }); // biome-ignore format: one line reads better
    const averages = ema.tensors({ model: run.model });
    expect(averages.map(({ dtype }) => dtype)).toEqual(Array(4).fill('float32'));
    const [first] = await run.engine.read(averages[0]);
    expect(Math.abs(first)).toBeLessThan(1);
  });
});
