import { describe, expect, it } from 'vitest';
import { createReferenceEngine, OnnxEngine, tf } from '../../src/engine/index.js';
import { Callback, Trainer } from '../../src/training/index.js';
import { RecordingView, weightsOf } from './helpers.js';
import { ToyModel } from './toy-model.js';

function trainer(config: Record<string, unknown>, callbacks: Callback[] = []): Trainer {
  const settings = { handle_signals: false, log_every_n_steps: 5, ...config };
  return new Trainer(settings, { engine: createReferenceEngine(), callbacks, view: new RecordingView() });
}

/** Writes down every hook. */
class Diary extends Callback {
  readonly name = 'diary';
  readonly events: string[] = [];
  override async onStep(run: Parameters<Callback['onStep']>[0]): Promise<void> {
    this.events.push(`s${run.progress.step}`);
  }
  override async onValidationEnd(): Promise<void> {
    this.events.push('v');
  }
  override async onEpochEnd(): Promise<void> {
    this.events.push('e');
  }
  override async onFitEnd(_run: unknown, outcome: { reason: string }): Promise<void> {
    this.events.push(outcome.reason);
  }
}

async function diaryOf(config: Record<string, unknown>, batches = 4): Promise<string> {
  const diary = new Diary();
  await trainer(config, [diary]).fit(new ToyModel({ batches }));
  return diary.events.join(' ');
}

describe('the order of a fit', () => {
  it('validates at the end of each epoch', async () => {
    expect(await diaryOf({ max_epochs: 2 }, 2)).toBe('s1 s2 v e s3 s4 v e max_epochs=2 reached');
  });

  it('validates in parts of an epoch and after counts of batches', async () => {
    expect(await diaryOf({ max_epochs: 1, val_check_interval: 0.5 })).toBe(
      's1 s2 v s3 s4 v e max_epochs=1 reached',
    );
    expect(await diaryOf({ max_epochs: 1, val_check_interval: 3 })).toBe(
      's1 s2 s3 v s4 e max_epochs=1 reached',
    );
    expect(await diaryOf({ max_steps: 7, val_check_interval: 3, check_val_every_n_epoch: null })).toBe(
      's1 s2 s3 v s4 e s5 s6 v s7 max_steps=7 reached',
    );
    await expect(diaryOf({ max_epochs: 1, val_check_interval: 5 })).rejects.toThrow(/more than an epoch has/);
  });

  it('validates in every n-th epoch', async () => {
    expect(await diaryOf({ max_epochs: 3, check_val_every_n_epoch: 2 }, 1)).toBe(
      's1 e s2 v e s3 e max_epochs=3 reached',
    );
  });

  it('validates before it ends at max_steps when a validation is due', async () => {
    expect(await diaryOf({ max_steps: 2, val_check_interval: 2 })).toBe('s1 s2 v max_steps=2 reached');
  });

  it('limits the batches of an epoch', async () => {
    expect(await diaryOf({ max_epochs: 1, limit_train_batches: 0.5 })).toBe('s1 s2 v e max_epochs=1 reached');
    expect(await diaryOf({ max_epochs: 1, limit_train_batches: 3, limit_val_batches: 0 })).toBe(
      's1 s2 s3 e max_epochs=1 reached',
    );
  });

  it('takes a smaller step at the end of an epoch when batches are accumulated', async () => {
    expect(await diaryOf({ max_epochs: 1, accumulate_grad_batches: 3 })).toBe(
      's1 s2 v e max_epochs=1 reached',
    );
  });

  it('ends at max_time', async () => {
    const result = await trainer({ max_time: { seconds: 0 } }).fit(new ToyModel());
    expect(result.outcome.reason).toBe('max_time reached');
    expect(result.progress.step).toBe(0);
  });

  it('closes what it opened', async () => {
    const model = new ToyModel();
    await trainer({ max_steps: 3 }).fit(model);
    expect(model.source.opened).toBe(1);
    expect(model.source.closed).toBe(1);
  });
});

describe('what a fit computes', () => {
  it('lowers the loss', async () => {
    const result = await trainer({ max_epochs: 12 }).fit(new ToyModel());
    expect(result.metrics['val/loss']).toBeLessThan(0.2);
  });

  it('is the same on the compiling engine, up to rounding', async () => {
    const losses: number[] = [];
    for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
      const model = new ToyModel({
        optim: { name: 'adamw', lr: 0.02, sched: { name: 'CosineAnnealing', warmup_steps: 3 } },
      });
      const view = new RecordingView();
      const result = await new Trainer({ max_epochs: 3, gradient_clip_val: 0.5 }, { engine, view }).fit(
        model,
      );
      losses.push(result.metrics['val/loss']);
      await engine.dispose();
    }
    expect(losses[1]).toBeCloseTo(losses[0], 5);
  });

  it('averages accumulated gradients: two halves are one whole', async () => {
    const optim = { name: 'sgd', lr: 0.1 };
    const weights: number[][] = [];
    // The same batch twice must be as good as once; dropout is switched off by its own streams being averaged.
    for (const config of [
      { max_steps: 1, accumulate_grad_batches: 2 },
      { max_steps: 1, accumulate_grad_batches: 1 },
    ]) {
      const model = new ToyModel({ optim });
      model.source.batch = (_epoch, _index) => new ToyModel().source.batch(0, 0);
      model.trainingStep = ({ x, y }) => ({
        loss: tf.mean(
          tf.squaredDifference(model.module.forward(x, { training: false, tap: (_p, t) => t }), y),
        ),
      });
      const t = trainer(config);
      await t.fit(model);
      weights.push(await weightsOf(model, t.engine));
    }
    weights[0].forEach((value, i) => {
      expect(value).toBeCloseTo(weights[1][i], 6);
    });
  });

  it('clips by norm and by value', async () => {
    const start = await initialWeights();
    for (const [algorithm, limit] of [
      ['norm', 0.01],
      ['value', 0.002],
    ] as const) {
      const model = new ToyModel({ optim: { name: 'sgd', lr: 1 }, validation: false });
      const t = trainer({ max_steps: 1, gradient_clip_val: limit, gradient_clip_algorithm: algorithm });
      await t.fit(model);
      const moved: number[] = [];
      for (const [i, parameter] of [...model.module.parameters()].entries()) {
        const now = await t.engine.read(parameter);
        moved.push(...[...now].map((x, j) => Math.abs(x - start[i][j])));
      }
      const size = algorithm === 'norm' ? Math.hypot(...moved) : Math.max(...moved);
      expect(size).toBeCloseTo(limit, 5);
    }
  });

  it('logs what the model reports, averaged rates and the gradient norm', async () => {
    const result = await trainer({ max_steps: 5 }).fit(new ToyModel());
    const { metrics } = result;
    expect(metrics['train/double']).toBeGreaterThan(0);
    expect(metrics['train/grad_norm']).toBeGreaterThan(0);
    expect(metrics['train/learning_rate']).toBeCloseTo(0.01);
    expect(metrics['train/examples_per_second']).toBeGreaterThan(0);
  });
});

async function initialWeights(): Promise<Float32Array[]> {
  const model = new ToyModel();
  return [...model.module.parameters()].map((parameter) => parameter.initialValue());
}

describe('evaluation', () => {
  it('gives metrics their prefixes', async () => {
    const t = trainer({});
    const model = new ToyModel();
    expect(Object.keys((await t.validate(model)).metrics)).toEqual(['val/loss']);
    expect(Object.keys((await t.test(model)).metrics)).toEqual(['test/loss']);
    expect(await t.predict(model, await model.testSources())).toHaveLength(1);
  });
});

describe('trainer options', () => {
  it('names every problem', () => {
    expect(() => trainer({ max_epoch: 3 })).toThrow(/max_epochs/);
    expect(() => trainer({ precision: 64 })).toThrow(/precision: .*64/);
    expect(() => trainer({ devices: 0 })).toThrow(/devices/);
    expect(() => trainer({ strategy: 'fsdp' })).toThrow(/no strategy "fsdp"/);
    expect(() => trainer({ gradient_clip_algorithm: 'nrom' })).toThrow(/norm/);
    expect(() => trainer({ max_time: '1h' })).toThrow(/days, hours/);
  });

  it('takes NeMo keys that mean nothing here and says so once', () => {
    const view = new RecordingView();
    new Trainer(
      { accelerator: 'gpu', strategy: 'ddp', benchmark: false, devices: -1, min_epochs: 2 },
      { view },
    );
    expect(view.lines).toHaveLength(1);
    expect(view.lines[0]).toMatch(/accelerator[\s\S]*min_epochs/);
    expect(view.lines[0]).not.toMatch(/benchmark/);
  });

  it('changes accumulation with the epoch', async () => {
    const diary = new Diary();
    await trainer({ max_epochs: 2, accumulate_grad_batches: { 0: 1, 1: 4 }, limit_val_batches: 0 }, [
      diary,
    ]).fit(new ToyModel({ batches: 4 }));
    expect(diary.events.join(' ')).toBe('s1 s2 s3 s4 e s5 e max_epochs=2 reached');
  });
});
