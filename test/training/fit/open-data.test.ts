// All data of a fit is opened before its first step, the test set too, and what was opened is used, or closed.
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../../src/engine/index.js';
import { AnemoneError } from '../../../src/errors/index.js';
import type { BatchSource } from '../../../src/model/index.js';
import { Callback, Trainer } from '../../../src/training/index.js';
import { RecordingView } from '../helpers.js';
import { ToyModel, ToySource } from '../toy-model.js';

class Steps extends Callback {
  readonly name = 'steps';
  count = 0;
  override async onStep(): Promise<void> {
    this.count++;
  }
}

/** Counts what is opened and closed of each kind of data, and fails where it is told to. */
class WatchedModel extends ToyModel {
  readonly opened: string[] = [];
  readonly closed: string[] = [];
  testsOwnData?: boolean;

  constructor(private readonly broken: readonly string[] = []) {
    super({ batches: 2 });
  }

  override trainingSource(): Promise<BatchSource> {
    return this.open('train');
  }

  override async validationSources(): Promise<readonly BatchSource[]> {
    return [await this.open('validation')];
  }

  override async testSources(): Promise<readonly BatchSource[]> {
    return [await this.open('test')];
  }

  private async open(kind: string): Promise<BatchSource> {
    if (this.broken.includes(kind)) throw new AnemoneError({ code: 'data.lost', message: `${kind} is lost` });
    this.opened.push(kind);
    const source = new ToySource(kind, { batches: 2 });
    source.close = async () => {
      this.closed.push(kind);
    };
    return source;
  }
}

function watched(broken: readonly string[] = []) {
  const steps = new Steps();
  const settings = { max_epochs: 1, handle_signals: false };
  const trainer = new Trainer(settings, {
    engine: createReferenceEngine(),
    callbacks: [steps],
    view: new RecordingView(),
  });
  return { model: new WatchedModel(broken), trainer, steps };
}

describe('data that cannot be used', () => {
  it.each(['train', 'validation', 'test'])('of %s ends a fit before the first step', async (kind) => {
    const { model, trainer, steps } = watched([kind]);
    await expect(trainer.fit(model)).rejects.toThrow(`${kind} is lost`);
    expect(steps.count).toBe(0);
    expect(model.closed).toEqual(model.opened);
  });

  it('is told of all sets at once', async () => {
    const { model, trainer } = watched(['validation', 'test']);
    await expect(trainer.fit(model)).rejects.toThrow(
      /2 data sets cannot be used:\n.*validation is lost\n.*test is lost/,
    );
  });
});

describe('the test set', () => {
  it('is opened once, by the fit, and closed after the test', async () => {
    const { model, trainer } = watched();
    const { testSets } = await trainer.fit(model);
    expect(testSets).toEqual(['test']);
    expect(model.closed).toEqual(['train', 'validation']);
    await trainer.test(model);
    expect(model.opened).toEqual(['train', 'validation', 'test']);
    expect(model.closed).toEqual(['train', 'validation', 'test']);
    await trainer.test(model);
    expect(model.opened.filter((kind) => kind === 'test')).toHaveLength(2);
  });

  it('is closed with the trainer where nobody tests', async () => {
    const { model, trainer } = watched();
    await trainer.fit(model);
    await trainer.dispose();
    expect(model.closed).toContain('test');
  });

  it('is that of the program where it gives one, or none', async () => {
    const { model, trainer } = watched(['test']);
    expect((await trainer.fit(model, { test: new ToySource('mine', { batches: 1 }) })).testSets).toEqual([
      'mine',
    ]);
    expect(Object.keys((await trainer.test(model)).metrics)).toEqual(['test/loss']);
    expect((await trainer.fit(model, { test: [] })).testSets).toEqual([]);
  });

  it('of the config is left alone by who brings data, and where it is none of this run', async () => {
    const { model, trainer } = watched(['test']);
    expect((await trainer.fit(model, { train: new ToySource('mine', { batches: 1 }) })).testSets).toEqual([]);
    model.testsOwnData = false;
    expect((await trainer.fit(model)).testSets).toEqual([]);
  });
});
