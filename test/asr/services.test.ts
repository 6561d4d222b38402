// Each service that a user would replace, replaced through the package's main face, and the replacement seen in use.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import { encoderKind } from '../../src/asr/index.js';
import { OnnxEngine, type Program } from '../../src/engine/index.js';
import {
  CONFIG_WARNINGS,
  type ConfigNode,
  type Container,
  component,
  createDefaultContainer,
  createModel,
  defineSchema,
  ENGINE,
  EncDecRNNTModel,
  type Engine,
  expManager,
  LOG,
  PROGRESS_VIEW,
  READ_FILE,
  RUN_FOLDER,
  restoreModel,
  SEED,
  SpeechModel,
  Trainer,
  token,
} from '../../src/index.js';
import { CharTokenizer, tokenizerKind } from '../../src/text/index.js';
import { loggerKind, type MetricsLogger } from '../../src/training/index.js';
import { ToyModel } from '../training/toy-model.js';
import { letters, tinyModel, toneSpeech } from './support.js';

class CountingEngine extends OnnxEngine {
  readonly compiled: string[] = [];
  disposals = 0;

  override compile(...args: Parameters<OnnxEngine['compile']>): Program {
    this.compiled.push(args[0]);
    return super.compile(...args);
  }

  override async dispose(): Promise<void> {
    this.disposals++;
    await super.dispose();
  }
}

const engines: CountingEngine[] = [];
function countingEngine(): CountingEngine {
  const engine = new CountingEngine({ threads: 1 });
  engines.push(engine);
  return engine;
}
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.dispose();
});

const folder = () => mkdtempSync(join(tmpdir(), 'anemone-services-'));
const speech = (model: unknown): SpeechModel => {
  if (model instanceof SpeechModel) return model;
  throw new Error('no speech model');
};
const weights = (model: SpeechModel) => {
  const [first] = model.parameters();
  return Array.from(first.initialValue()).slice(0, 4);
};
const model = (changes: object = {}) => tinyModel({ ...changes }) as ConfigNode;
const bpe = readFileSync('test/fixtures/text/test_model.model');
const quiet = { handle_signals: false, max_steps: 2, enable_progress_bar: false };

describe('ENGINE', () => {
  it('of the container compiles and runs what trainer and models do, and stays with the caller', async () => {
    const engine = countingEngine();
    const container = createDefaultContainer().registerValue(ENGINE, engine);
    const trainer = new Trainer({ ...quiet, engine: { name: 'reference' } }, { container });
    expect(trainer.engine).toBe(engine);
    await speech(createModel(model(), trainer)).transcribe([toneSpeech('ab', 1)]);
    const transcribing = engine.compiled.length;
    expect(transcribing).toBeGreaterThan(0);
    await trainer.fit(new ToyModel());
    expect(engine.compiled.length).toBeGreaterThan(transcribing);
    await trainer.dispose();
    expect(engine.disposals).toBe(0);
  });

  it('of a call wins, and a model needs no trainer to have one', async () => {
    const [engine, given] = [countingEngine(), countingEngine()];
    const container = createDefaultContainer().registerValue(ENGINE, engine);
    const node = model();
    await EncDecRNNTModel.fromConfig(node, { container }).transcribe([toneSpeech('ab', 1)]);
    await EncDecRNNTModel.fromConfig(node, { container, engine: given }).transcribe([toneSpeech('ab', 1)]);
    expect([engine.compiled.length, given.compiled.length].every((count) => count > 0)).toBe(true);
    expect(new Trainer({}, { container, engine: given }).engine).toBe(given);
  });

  it('is made when something runs, once for all that share the container', async () => {
    let made = 0;
    const container = createDefaultContainer().registerFactory(ENGINE, () => {
      made++;
      return countingEngine();
    });
    const [first, second] = [1, 2].map(() => speech(createModel(model(), new Trainer({}, { container }))));
    expect(made).toBe(0);
    await first.transcribe([toneSpeech('ab', 1)]);
    await second.transcribe([toneSpeech('ab', 1)]);
    expect(made).toBe(1);
  });

  it('of a trainer is its own, disposed with it, and then made anew', async () => {
    const container = createDefaultContainer();
    const [trainer, other] = [1, 2].map(() => new Trainer({ engine: { name: 'reference' } }, { container }));
    const before = trainer.engine;
    expect(trainer.engine).toBe(before);
    expect(other.engine).not.toBe(before);
    await trainer.dispose();
    expect(trainer.engine).not.toBe(before);
    await trainer.dispose();
    await other.dispose();
  });
});

describe('SEED', () => {
  const container = () => createDefaultContainer().registerValue(SEED, 7);

  it('decides the weights: of the call, of the container, of the trainer, or 0', () => {
    const made = (context: Parameters<typeof createModel>[1]) => speech(createModel(model(), context)).seed;
    expect(made({})).toBe(0);
    expect(made(new Trainer({ seed: 5 }))).toBe(5);
    expect(made({ container: container() })).toBe(7);
    expect(made(new Trainer({ seed: 5 }, { container: container() }))).toBe(7);
    expect(made({ container: container(), seed: 3 })).toBe(3);
    expect(new Trainer({ seed: 5 }, { container: container() }).seed).toBe(7);
    const weightsOf = (context: object) => weights(EncDecRNNTModel.fromConfig(model(), context));
    expect(weightsOf({ container: container() })).toEqual(weightsOf({ seed: 7 }));
    expect(weightsOf({ container: container() })).not.toEqual(weightsOf({}));
  });
});

describe('LOG', () => {
  it('hears models and trainer, and the folder of the run keeps what was said', async () => {
    const lines: string[] = [];
    const container = createDefaultContainer().registerValue(LOG, (line) => void lines.push(line));
    const trainer = new Trainer(quiet, { container });
    const explicit_log_dir = folder();
    const section = { explicit_log_dir, resume_if_exists: true, resume_ignore_no_checkpoint: true };
    await expManager(trainer, section);
    createModel(model({ log_prediction: true }), trainer);
    await trainer.fit(new ToyModel({ validation: false }));
    await trainer.dispose();
    const said = lines.join('\n');
    for (const text of ['starting from the beginning', 'log_prediction', 'finished: ']) {
      expect(said).toContain(text);
      expect(readFileSync(join(explicit_log_dir, 'anemone_log.txt'), 'utf8')).toContain(text);
    }
  });

  it('of a call hears that model alone', () => {
    const [ours, given]: string[][] = [[], []];
    const container = createDefaultContainer().registerValue(LOG, (line) => void ours.push(line));
    createModel(model({ log_prediction: true }), { container, log: (line) => given.push(line) });
    expect([ours.length, given.length]).toEqual([0, 1]);
  });
});

describe('CONFIG_WARNINGS', () => {
  it('gets the keys without effect of trainer, run and model instead of the log', async () => {
    const paths: string[] = [];
    const lines: string[] = [];
    const container = createDefaultContainer()
      .registerValue(CONFIG_WARNINGS, (fresh) => void paths.push(...fresh.map(({ path }) => path)))
      .registerValue(LOG, (line) => void lines.push(line));
    const trainer = new Trainer({ ...quiet, min_steps: 5 }, { container });
    createModel(model({ log_prediction: true }), trainer);
    expect(paths.some((path) => /log_prediction$/.test(path))).toBe(true);
    expect(paths.some((path) => /min_steps$/.test(path))).toBe(true);
    expect(lines).toEqual([]);
  });
});

describe('READ_FILE', () => {
  /** Files that are nowhere on disk. */
  function inMemory(files: Readonly<Record<string, Uint8Array>>): { container: Container; asked: string[] } {
    const asked: string[] = [];
    const container = createDefaultContainer().registerValue(READ_FILE, (path) => {
      asked.push(path);
      if (path in files) return files[path];
      throw new Error(`${path} is not in memory`);
    });
    return { container, asked };
  }

  it('serves tokenizers and phrases, also those that the program gives later', async () => {
    const phrases = Buffer.from('ab\n');
    const { container, asked } = inMemory({ 'memory:/tokenizer.model': bpe, 'memory:/words.txt': phrases });
    const section = model({ labels: undefined, tokenizer: { type: 'bpe', dir: 'memory:' } });
    const engine = countingEngine();
    const made = EncDecRNNTModel.fromConfig(section, { container, engine });
    expect(made.tokenizer.vocabSize).toBeGreaterThan(10);
    const boosting_tree = { key_phrases_file: 'memory:/words.txt', context_score: 1 };
    made.changeDecoding({ strategy: 'greedy_batch', greedy: { boosting_tree, boosting_tree_alpha: 1 } });
    await made.transcribe([toneSpeech('ab', 1)]);
    await made.changeVocabulary({ labels: letters });
    await made.changeVocabulary({ tokenizer: { type: 'bpe', dir: 'memory:' } });
    expect(asked).toEqual(['memory:/tokenizer.model', 'memory:/words.txt', 'memory:/tokenizer.model']);
    expect(() => EncDecRNNTModel.fromConfig(section, {})).toThrow(/cannot read the tokenizer file/);
  });

  it('is asked for what the user names instead of what an archive holds', async () => {
    const { container, asked } = inMemory({});
    const engine = countingEngine();
    const path = join(folder(), 'model.nemo');
    const dir = 'test/fixtures/text';
    const tokenizer = { type: 'bpe', model_path: `${dir}/test_model.model` };
    await EncDecRNNTModel.fromConfig(model({ labels: undefined, tokenizer }), { engine }).saveTo(path);
    const restored = await restoreModel(path, { container, engine });
    expect(asked).toEqual([]);
    expect(restored.tokenizer.vocabSize).toBeGreaterThan(10);
    const reading = (overrides: string[]) => restoreModel(path, { container, engine }, { overrides });
    await expect(reading(['model.tokenizer.model_path=memory:/other.model'])).rejects.toThrow(
      /cannot read the tokenizer file memory:\/other.model/,
    );
    expect(asked).toEqual(['memory:/other.model']);
  });

  it('of a model is inside its archive, also for a tokenizer of the user, and sealed as before', async () => {
    const letterFile = component({
      kind: tokenizerKind,
      name: 'LetterFile',
      schema: defineSchema('LetterFile', { file: { doc: 'Its letters.', format: 'string' } }),
      inject: { read: READ_FILE },
      create: ({ file }, { read }) => new CharTokenizer([...Buffer.from(read(file)).toString()]),
    });
    const { container, asked } = inMemory({ 'mine/letters': Buffer.from('xyz') });
    container.registerAll([letterFile]);
    const tokenizer = { _target_: 'LetterFile', file: 'mine/letters' };
    const section = model({ labels: undefined, tokenizer });
    const made = (context: object) => speech(createModel(section, { container, ...context })).tokenizer;
    expect(made({}).vocabulary).toEqual(['x', 'y', 'z']);
    const artifacts = new Map([['letters', Buffer.from('abc')]]);
    expect(made({ artifacts }).vocabulary).toEqual(['a', 'b', 'c']);
    expect(asked).toEqual(['mine/letters']);
    const sealed = () => made({ artifacts: new Map(), sealed: () => true });
    expect(sealed).toThrow('mine/letters: the archive has no such file, and it may not name files of this');
    expect(asked).toEqual(['mine/letters']);
  });
});

describe('PROGRESS_VIEW', () => {
  it('shows the run of any trainer of the container, but one that is given a view', async () => {
    const steps: number[] = [];
    const view = {
      step: ({ step }: { step: number }) => void steps.push(step),
      evaluating() {},
      say() {},
      end() {},
    };
    const container = createDefaultContainer().registerValue(PROGRESS_VIEW, view);
    const trainer = new Trainer(quiet, { container });
    expect(trainer.view).toBe(view);
    await trainer.fit(new ToyModel({ validation: false }));
    await trainer.dispose();
    expect(steps).toEqual([1, 2]);
    expect(new Trainer({}, { container, view: { ...view } }).view).not.toBe(view);
  });
});

describe('RUN_FOLDER', () => {
  it('takes the place of the folder that exp_manager describes', async () => {
    const path = join(folder(), 'mine');
    const container = createDefaultContainer().registerValue(RUN_FOLDER, { path });
    const trainer = new Trainer(quiet, { container });
    expect(trainer.logFolder).toBe(path);
    expect(await expManager(trainer, { exp_dir: folder(), name: 'other' })).toBe(path);
    await trainer.fit(new ToyModel({ validation: false }));
    await trainer.dispose();
    expect(readFileSync(join(path, 'anemone_log.txt'), 'utf8')).toContain('finished');
  });
});

describe('parts of a user', () => {
  const NOTES = token<string[]>('notes');

  it('get the services of the run that builds them', async () => {
    const seen: unknown[] = [];
    const logger = component({
      kind: loggerKind,
      name: 'Notes',
      schema: defineSchema('Notes', {}),
      inject: { notes: NOTES, run: RUN_FOLDER, engine: ENGINE },
      create: (_, { notes, run, engine }): MetricsLogger => {
        expectTypeOf(engine).toEqualTypeOf<Engine>();
        seen.push(run.path, engine);
        return {
          start: async () => void notes.push('start'),
          log: async (step) => void notes.push(`step ${step}`),
          text: async () => {},
          close: async () => {},
        };
      },
    });
    const notes: string[] = [];
    const container = createDefaultContainer().registerAll([logger]).registerValue(NOTES, notes);
    const trainer = new Trainer({ ...quiet, log_every_n_steps: 1 }, { container, engine: countingEngine() });
    const path = await expManager(trainer, { exp_dir: folder(), loggers: [{ _target_: 'Notes' }] });
    expect(seen).toEqual([path, trainer.engine]);
    await trainer.fit(new ToyModel({ validation: false }));
    await trainer.dispose();
    expect(notes.slice(0, 2)).toEqual(['start', 'step 1']);
  });

  it('of a model get what the model was given', () => {
    const broken = component({
      kind: encoderKind,
      name: 'Curious',
      schema: defineSchema('Curious', {}),
      inject: { seed: SEED, log: LOG, notes: NOTES },
      create: (_, { seed, log, notes }) => {
        log(`seed ${seed}`);
        notes.push('built');
        throw new Error('no encoder after all');
      },
    });
    const lines: string[] = [];
    const given = { seed: 11, log: (line: string) => void lines.push(line) };
    const section = model({ encoder: { _target_: 'Curious' } });
    const without = createDefaultContainer().registerAll([broken]);
    expect(() => createModel(section, { ...given, container: without })).toThrow(
      'nothing is registered as "notes", needed by the encoder "Curious"',
    );
    const hungry = component({
      kind: encoderKind,
      name: 'Hungry',
      schema: defineSchema('Hungry', {}),
      inject: { engine: ENGINE },
      create: () => {
        throw new Error('not reached');
      },
    });
    const eating = () =>
      createModel(model({ encoder: { _target_: 'Hungry' } }), {
        container: createDefaultContainer().registerAll([hungry]),
      });
    expect(eating).toThrow(
      'nothing is registered as "engine", needed by the encoder "Hungry" — give the model an engine: pass a trainer',
    );
    const notes: string[] = [];
    const container = createDefaultContainer().registerAll([broken]).registerValue(NOTES, notes);
    expect(() => createModel(section, { ...given, container })).toThrow('no encoder after all');
    expect([lines, notes]).toEqual([['seed 11'], ['built']]);
  });
});
