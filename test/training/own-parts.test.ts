// Callbacks and loggers that a config names, and data that a program gives: built, checked with their places, used.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configFromText, defineSchema } from '../../src/config/index.js';
import { Container, component } from '../../src/container/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { optimizerComponents, schedulerComponents } from '../../src/optim/index.js';
import {
  Callback,
  callbackKind,
  EarlyStopping,
  expManager,
  Trainer,
  type TrainerSection,
  trainingComponents,
} from '../../src/training/index.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel } from './toy-model.js';

class Counting extends Callback {
  readonly name = 'counting';
  steps = 0;

  constructor(readonly by: number) {
    super();
  }

  override async onStep(): Promise<void> {
    this.steps += this.by;
  }
}

const counting = component({
  kind: callbackKind,
  name: 'Counting',
  schema: defineSchema('Counting', { by: { doc: 'What a step counts.', format: 'int', default: 1 } }),
  create: ({ by }) => new Counting(by),
});

const container = () =>
  new Container().registerAll([
    ...trainingComponents,
    ...optimizerComponents,
    ...schedulerComponents,
    counting,
  ]);
const trainerOf = (config: TrainerSection, own = container()) =>
  new Trainer(config, { container: own, view: new RecordingView(), engine: createReferenceEngine() });

function failure(act: () => unknown): AnemoneError {
  try {
    act();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

describe('trainer.callbacks', () => {
  const text =
    'trainer:\n  max_epochs: 1\n  handle_signals: false\n  callbacks:\n    - {_target_: Counting, by: 2}\n';

  it('builds them, and they are told of the run', async () => {
    const trainer = trainerOf(configFromText(text).trainer);
    const { progress } = await trainer.fit(new ToyModel());
    const [callback] = trainer.callbacks as Counting[];
    expect(callback.steps).toBe(2 * progress.step);
  });

  it("knows the library's without a container, by Lightning's names too", () => {
    const node = { _target_: 'pytorch_lightning.callbacks.EarlyStopping', monitor: 'val_wer', patience: 3 };
    const trainer = new Trainer({ callbacks: [node] }, { view: new RecordingView() });
    expect(trainer.callbacks[0]).toBeInstanceOf(EarlyStopping);
  });

  it('tells a wrong key, and a name that nobody knows, with their places', () => {
    const wrong = failure(() =>
      trainerOf(configFromText(text.replace('by: 2', 'bye: 2'), [], { file: 'c.yaml' }).trainer),
    );
    expect(wrong.message).toMatch(/c\.yaml:5:\d+: trainer\.callbacks\.0\.bye: Counting has no key "bye"/);
    const unknown = failure(() =>
      trainerOf(configFromText(text.replace('Counting', 'Countin'), [], { file: 'c.yaml' }).trainer),
    );
    expect(unknown.message).toMatch(/c\.yaml:5:\d+.*there is no callback named "Countin".*"Counting"/);
  });
});

describe('exp_manager.loggers', () => {
  it('builds them, in the folder of the run unless it is given', async () => {
    const [folder, elsewhere] = [temporaryFolder(), temporaryFolder()];
    const trainer = trainerOf({ max_epochs: 1, log_every_n_steps: 5, handle_signals: false });
    const loggers = [
      { _target_: 'CsvLogger', file: 'a.csv' },
      { _target_: 'CsvLogger', folder: elsewhere },
    ];
    await expManager(trainer, { explicit_log_dir: folder, create_tensorboard_logger: false, loggers });
    await trainer.fit(new ToyModel());
    for (const file of [join(folder, 'a.csv'), join(elsewhere, 'metrics.csv')]) {
      expect(readFileSync(file, 'utf8').split('\n')[0]).toContain('train/loss');
    }
  });
});

describe('data that is given', () => {
  it("takes the place of the config's, for fit, validate and test", async () => {
    const model = new ToyModel();
    const [train, [validation]] = [await model.trainingSource(), await model.validationSources()];
    const silent = Object.assign(new ToyModel(), {
      trainingSource: async () => undefined,
      validationSources: async () => [],
      testSources: async () => [],
    });
    const options = { max_epochs: 1, handle_signals: false };
    const own = await trainerOf(options).fit(silent, { train, validation });
    const configured = await trainerOf(options).fit(new ToyModel());
    expect(own.metrics['val/loss']).toBe(configured.metrics['val/loss']);
    const trainer = trainerOf(options);
    const { metrics } = await trainer.validate(silent, { data: validation });
    expect((await trainer.test(silent, { data: [validation] })).metrics['test/loss']).toBe(
      metrics['val/loss'],
    );
    await expect(trainerOf(options).fit(silent)).rejects.toThrow(/names no train data/);
  });
});
