// All sections of a config are checked together, before anything is made: each mistake is told, once, with its line.
import { describe, expect, it } from 'vitest';
import { checkConfig, createFromConfig } from '../../../src/asr/index.js';
import { createDefaultContainer } from '../../../src/composition.js';
import { configFromText } from '../../../src/config/index.js';
import { createReferenceEngine } from '../../../src/engine/index.js';
import { AnemoneError } from '../../../src/errors/index.js';

/** A config whose every line is right; each entry of `mistakes` takes the place of the one line with its mark. */
const lines = [
  'name: run',
  'trainer:',
  '  max_epochs: 3',
  '  engine: {name: reference}',
  '  callbacks: [{_target_: EarlyStopping, patience: 2}]',
  'exp_manager:',
  '  exp_dir: x',
  '  loggers: [{_target_: CsvLogger, file: a.csv}]',
  '  checkpoint_callback_params: {save_top_k: 3}',
  'model:',
  '  tokenizer: {type: char, labels: [a, b]}',
  '  train_ds: {batch_size: 1, augmentor: {gain: {prob: 1}}}',
  '  validation_ds: {batch_size: 1}',
  '  test_ds: {batch_size: 1}',
  '  preprocessor: {_target_: AudioToMelSpectrogramPreprocessor, features: 8}',
  '  spec_augment: {_target_: SpectrogramAugmentation, freq_masks: 1}',
  '  encoder: {_target_: ConformerEncoder, feat_in: 8, n_layers: 1, d_model: 4, n_heads: 1}',
  '  decoder: {_target_: RNNTDecoder, prednet: {pred_hidden: 4}}',
  '  joint: {_target_: RNNTJoint, jointnet: {joint_hidden: 4}}',
  '  aux_ctc: {decoder: {_target_: ConvASRDecoder}, decoding: {strategy: greedy}}',
  '  interctc: {loss_weights: [0.3], apply_at_layers: [0]}',
  '  decoding: {strategy: greedy}',
  '  loss: {loss_name: default}',
  '  adapters: {one: {_target_: LinearAdapter, dim: 2}}',
  '  optim: {name: adamw, lr: 1.0, sched: {name: CosineAnnealing, warmup_steps: 3}}',
  '  optim_param_groups: {encoder: {lr: 0.1}}',
] as const;

/** [what is written, what is written instead, what the mistake is told of]. */
const mistakes: readonly (readonly [string, string, string])[] = [
  ['name: run', 'nmae: run', 'nmae'],
  ['max_epochs', 'max_epoch', 'trainer.max_epoch'],
  ['{name: reference}', '{name: reference, tread: 2}', 'trainer.engine.tread'],
  ['patience', 'pacience', 'trainer.callbacks.0.pacience'],
  ['exp_dir', 'exp_dri', 'exp_manager.exp_dri'],
  ['CsvLogger', 'CvsLogger', 'exp_manager.loggers.0'],
  ['save_top_k', 'save_topk', 'exp_manager.checkpoint_callback_params.save_topk'],
  ['type: char', 'type: chart', 'model.tokenizer.type'],
  ['gain: {prob: 1}', 'gain: {prob: 2}', 'model.train_ds.augmentor.gain.prob'],
  ['validation_ds: {batch_size', 'validation_ds: {batch_sise', 'model.validation_ds.batch_sise'],
  ['test_ds: {batch_size: 1', 'test_ds: {batch_size: x', 'model.test_ds.batch_size'],
  ['features: 8', 'feature: 8', 'model.preprocessor.feature'],
  ['freq_masks: 1', 'freq_masks: -1', 'model.spec_augment.freq_masks'],
  ['_target_: ConformerEncoder', '_target_: ConformerEncodr', 'model.encoder'],
  ['{pred_hidden', '{pred_hiden', 'model.decoder.prednet.pred_hiden'],
  ['joint_hidden: 4', 'joint_hidden: 0', 'model.joint.jointnet.joint_hidden'],
  ['{_target_: ConvASRDecoder}', '{_target_: ConvASRDecoder, feat: 3}', 'model.aux_ctc.decoder.feat'],
  ['decoding: {strategy: greedy}}', 'decoding: {strategy: greedyy}}', 'model.aux_ctc.decoding.strategy'],
  ['loss_weights', 'loss_weight', 'model.interctc.loss_weight'],
  ['  decoding: {strategy: greedy}', '  decoding: {stategy: greedy}', 'model.decoding.stategy'],
  ['loss_name: default', 'loss_name: defalt', 'model.loss.loss_name'],
  ['dim: 2', 'dimm: 2', 'model.adapters.one.dimm'],
  ['lr: 1.0', 'lr: fast', 'model.optim.lr'],
  ['warmup_steps', 'warmup_step', 'model.optim.sched.warmup_step'],
  ['encoder: {lr', 'encoder: {lrr', 'model.optim_param_groups.encoder.lrr'],
];

function configWith(changes: readonly (readonly [string, string, string])[]) {
  const text = changes.reduce((yaml, [right, wrong]) => yaml.replace(right, wrong), lines.join('\n'));
  return configFromText(text, [], { file: 'c.yaml' });
}

const lineOf = (right: string) => lines.findIndex((line) => `${line}\n`.includes(right)) + 1;

function failure(run: () => unknown): AnemoneError {
  try {
    run();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a config', () => {
  it('without mistakes is not refused', () => {
    expect(checkConfig(configWith([]))).toEqual([]);
  });

  it('may name optimizer and schedule as it names other parts', () => {
    const named = (name: string): [string, string, string] => [
      'optim: {name: adamw',
      `optim: {_target_: ${name}`,
      '',
    ];
    const schedule: [string, string, string] = ['sched: {name:', 'sched: {_target_:', ''];
    expect(checkConfig(configWith([named('adamw'), schedule]))).toEqual([]);
    expect(failure(() => checkConfig(configWith([named('adamww')]))).message).toMatch(
      /no optimizer named "adamww"/,
    );
  });

  it.each(mistakes)('%s → %s is told once, with its line', (...mistake) => {
    const [right, , path] = mistake;
    const error = failure(() => checkConfig(configWith([mistake])));
    expect(error.lines).toEqual([]);
    expect(error.path).toBe(path);
    expect(error.position).toMatchObject({ file: 'c.yaml', line: lineOf(right) });
  });

  it('with a mistake in every section has all of them told, in the order of its lines', () => {
    const error = failure(() => checkConfig(configWith(mistakes)));
    const told = error.lines.map((line) => /^ {2}c\.yaml:(\d+):\d+: (\S+): /.exec(line)?.slice(1, 3));
    expect(told).toEqual(mistakes.map(([right, , path]) => [String(lineOf(right)), path]));
  });

  it('is checked as a whole where a model is made of it, before anything is', async () => {
    const engine = createReferenceEngine();
    const error = await createFromConfig(configWith(mistakes), { engine }).then(
      () => undefined,
      (thrown: AnemoneError) => thrown,
    );
    expect(error?.lines).toHaveLength(mistakes.length);
  });
});

describe('sections that training does not read', () => {
  const check = (yaml: string) => {
    const whole = `${lines.slice(9).join('\n')}\n${yaml}`;
    return checkConfig(configFromText(whole, [], { file: 'c.yaml' }), {
      container: createDefaultContainer(),
    });
  };

  it.each(['trainner: {}', 'modle: {}', 'exp_manger: {a: 1}', 'nmae: 3'])('%s is a misspelling', (yaml) => {
    const error = failure(() => check(yaml));
    expect(error.message).toMatch(/^c\.yaml:18:1: \w+: unknown section — did you mean/);
  });

  it.each(['sample_rate: 16000', 'init_from_nemo_model: null', 'init_from_ptl_ckpt: a', 'labels: [a]'])(
    '%s is there to be referred to, or read',
    (yaml) => expect(check(yaml)).toEqual([]),
  );

  it.each([
    ['hydra: {run: {dir: .}}', /exp_manager says where files go/],
    ['my_own: {a: 1}', /training reads model, trainer, exp_manager/],
    ['init_from_nemo_modle: a', /did you mean "init_from_nemo_model"/],
  ])('%s has no effect, which is told', (yaml, reason) => {
    expect(check(yaml)).toEqual([
      expect.objectContaining({ message: expect.stringMatching(reason), position: expect.anything() }),
    ]);
  });

  it('are no model', () => {
    expect(failure(() => checkConfig(configFromText('trainer: {}', [], { file: 'c.yaml' }))).message).toMatch(
      /^c\.yaml: there is no model section/,
    );
  });
});
