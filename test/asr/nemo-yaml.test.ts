// Configs as NeMo writes them: no `target`, module paths, keys of its data loaders, fine-tuning without a network,
// several languages. Runs of NeMo's own files: scripts/nemo-configs.ts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createModel, EncDecRNNTBPEModel, type SpeechModel } from '../../src/asr/index.js';
import { createFrontEnd } from '../../src/audio/index.js';
import { run } from '../../src/cli/main.js';
import { type ConfigNode, type ConfigWarning, configFromObject, toYaml } from '../../src/config/index.js';
import { dataSchema, openSpeechSource } from '../../src/data/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { AggregateTokenizer, trainTokenizerFolder } from '../../src/text/index.js';
import { tinyModel, toneSpeech } from './support.js';

const classifier = {
  _target_: 'nemo.collections.asr.modules.ConvASRDecoder',
  feat_in: null,
  num_classes: -1,
  vocabulary: [],
};
const folder = mkdtempSync(join(tmpdir(), 'anemone-nemo-yaml-'));
const archive = join(import.meta.dirname, '../fixtures/nemo/hybrid-bpe.nemo');
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  const rows = ['ab', 'ba', 'c a', 'bc'].map((text, i) => {
    const samples = toneSpeech(text, i);
    writeFileSync(file(`${i}.wav`), encodeWav([samples], { sampleRate: 8000 }));
    return JSON.stringify({
      audio_filepath: `${i}.wav`,
      duration: samples.length / 8000,
      text,
      lang: i < 2 ? 'xx' : 'yy',
    });
  });
  writeFileSync(file('all.json'), `${rows.join('\n')}\n`);
});

function failure(work: () => unknown): AnemoneError {
  try {
    work();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

async function train(config: object, ...overrides: string[]) {
  const path = file('run.yaml');
  writeFileSync(path, toYaml(configFromObject(config)));
  let err = '';
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    err += String(chunk);
    return true;
  });
  const code = await run(['train', path, ...overrides, '--no-test']);
  vi.restoreAllMocks();
  process.exitCode = undefined;
  return { code, err };
}

const quick = {
  trainer: {
    max_steps: 2,
    logger: false,
    strategy: { _target_: 'lightning.pytorch.strategies.DDPStrategy' },
    engine: { threads: 1 },
  },
  exp_manager: { exp_dir: folder, name: 'run', create_wandb_logger: true },
};

describe('the class of a model', () => {
  it('is told by its sections', () => {
    const classOf = (changes: object) => createModel(tinyModel({ ...changes })).constructor.name;
    expect(classOf({})).toBe('EncDecRNNTBPEModel');
    expect(classOf({ decoder: classifier, joint: undefined })).toBe('EncDecCTCModelBPE');
    expect(classOf({ aux_ctc: { decoder: classifier } })).toBe('EncDecHybridRNNTCTCBPEModel');
  });

  it.each([
    ['EncDecSpeakerLabelModel', { decoder: { _target_: 'nemo.collections.asr.modules.SpeakerDecoder' } }],
    [
      'EncDecClassificationModel',
      { decoder: { _target_: 'nemo.collections.asr.modules.ConvASRDecoderClassification' } },
    ],
    [
      'SpeechEncDecSelfSupervisedModel',
      { loss: { _target_: 'nemo.collections.asr.losses.ContrastiveLoss' } },
    ],
    ['EncDecK2SeqModelBPE', { graph_module_cfg: {} }],
    [
      'EncDecTransfModelBPE',
      { target: 'nemo.collections.asr.models.transformer_bpe_models.EncDecTransfModelBPE' },
    ],
    ['EncDecTransfModelBPE', { target: 'EncDecTransfModelBPE' }],
    ['EncDecClassificationModel', { target: 'nemo.collections.asr.models.EncDecClassificationModel' }],
  ])('%s is named and not supported', (name, changes) => {
    const error = failure(() => createModel(tinyModel({ ...changes, of_that_model: 1 })));
    expect(error.code).toBe('asr.model-not-supported');
    expect(error.message).toContain(`NeMo's ${name} (`);
  });

  it('tells of unknown bricks together with all else that is wrong', () => {
    const encoder = { _target_: 'nemo.collections.asr.modules.Wav2VecTransformerEncoder', proj_size: 3 };
    const joint = { _target_: 'nemo.collections.asr.modules.SampledRNNTJoint', experimental: 1 };
    const error = failure(() => createModel(tinyModel({ encoder, joint, some_key: 1 })));
    expect(error.lines).toEqual([
      expect.stringMatching(/some_key/),
      expect.stringMatching(/NeMo's Wav2VecTransformerEncoder is not supported — .*ConformerEncoder/),
      expect.stringMatching(/NeMo's SampledRNNTJoint is not supported/),
    ]);
    // What stands in the section of a brick that nobody knows cannot be judged.
    expect(error.message).not.toMatch(/proj_size|experimental/);
  });

  it('finds classes by any of their module paths', () => {
    const { encoder } = tinyModel() as unknown as { encoder: ConfigNode };
    const target = 'nemo.collections.asr.modules.conformer_encoder.ConformerEncoder';
    expect(createModel(tinyModel({ encoder: { ...encoder, _target_: target } }))).toBeInstanceOf(
      EncDecRNNTBPEModel,
    );
  });

  it('takes characters from where older configs have them', () => {
    const from = (changes: object) =>
      (createModel(tinyModel({ labels: undefined, ...changes })) as SpeechModel).tokenizer.vocabulary;
    expect(from({ train_ds: { batch_size: 2, labels: ['x', 'y'] } })).toEqual(['x', 'y']);
    expect(
      from({ joint: undefined, decoder: { ...classifier, num_classes: 2, vocabulary: ['p', 'q'] } }),
    ).toEqual(['p', 'q']);
    expect(failure(() => from({})).code).toBe('asr.no-tokenizer');
  });
});

describe('data sections', () => {
  const parse = (section: object) => {
    const warnings: ConfigWarning[] = [];
    dataSchema.parse({ manifest_filepath: 'x.json', ...section }, { warnings });
    return warnings.map(({ path }) => path);
  };

  it("tell of lhotse's keys that would change something, and of no others", () => {
    const quiet = {
      use_lhotse: true,
      batch_duration: 100,
      quadratic_duration: 20,
      num_buckets: 30,
      bucket_buffer_size: 1,
      shuffle_buffer_size: 1,
      num_cuts_for_bins_estimate: 10000,
      concurrent_bucketing: true,
      text_field: 'text',
      shard_seed: 'trng',
    };
    expect(parse(quiet)).toEqual(['bucket_buffer_size', 'shuffle_buffer_size']);
    expect(parse({ batch_size: 1, perturb_speed: true, rir_enabled: false, truncate_duration: 2 })).toEqual([
      'perturb_speed',
      'truncate_duration',
    ]);
    expect(parse({ batch_size: 1, is_concat: true, bucketing_weights: [1, 2] })).toEqual([
      'is_concat',
      'bucketing_weights',
    ]);
  });

  it('refuse data that would be missing', () => {
    expect(failure(() => parse({ batch_size: 1, shar_path: '/data/shar' })).message).toMatch(
      /shar.*manifest_filepath/,
    );
    expect(failure(() => parse({ batch_size: 1, input_cfg: 'data.yaml' })).message).toMatch(/not read/);
    expect(parse({ batch_size: 1, cuts_path: null })).toEqual([]);
  });

  it('mix lengths without use_bucketing', async () => {
    const texts = Array.from({ length: 24 }, (_, i) => ({
      duration: 0.5 + (i % 12) * 0.5,
      audio_filepath: '0.wav',
      text: 'a',
    }));
    writeFileSync(file('lengths.json'), texts.map((row) => JSON.stringify(row)).join('\n'));
    const batches = async (changes: object) => {
      const section = dataSchema.parse({
        manifest_filepath: file('lengths.json'),
        batch_size: 2,
        ...changes,
      });
      const { preprocessor } = tinyModel() as unknown as { preprocessor: object };
      const { _target_: _, ...mel } = preprocessor as Record<string, unknown>;
      const source = await openSpeechSource({
        name: 'd',
        section,
        training: true,
        seed: 1,
        frontEnd: createFrontEnd(mel),
        tokenize: () => [0],
      });
      const { framePadding: padding } = source?.estimate() ?? { framePadding: Number.NaN };
      await source?.close();
      return padding;
    };
    expect(await batches({ use_bucketing: false })).toBeGreaterThan(
      (await batches({ use_bucketing: true })) + 0.05,
    );
  });
});

describe('anemone train', () => {
  it('lists what has no effect in one warning, each key once', async () => {
    const set = { manifest_filepath: file('all.json'), batch_size: 2, num_workers: 0, pin_memory: true };
    const model = tinyModel({ log_prediction: true, train_ds: set, optim: { name: 'adamw', lr: 0.01 } });
    const { code, err } = await train({ ...quick, model, hydra: { run: { dir: '.' } } });
    expect(code, err).toBe(0);
    expect(err.match(/These keys of the config have no effect/g)).toHaveLength(1);
    const listed = err.match(/"(\w+)" has no effect/g)?.map((line) => line.split('"')[1]);
    expect(listed).toEqual(['create_wandb_logger', 'log_prediction', 'pin_memory', 'hydra']);
  });

  it('fine-tunes the archive that a config without a network names', async () => {
    const set = {
      manifest_filepath: file('all.json'),
      sample_rate: 16000,
      batch_size: 2,
      num_workers: 0,
      pin_memory: true,
    };
    const model = {
      sample_rate: 16000,
      train_ds: set,
      char_labels: { update_labels: true, labels: ['a', 'b', 'c', ' '] },
      tokenizer: { update_tokenizer: false, dir: null, type: 'bpe' },
      optim: { name: 'adamw', lr: 1e-3 },
    };
    const open = await train({ ...quick, init_from_nemo_model: null, model });
    expect(open.code).toBe(2);
    expect(open.err).toMatch(
      /^error: .*no encoder, and no model to start from is named.*init_from_nemo_model=model.nemo/,
    );
    const { code, err } = await train({ ...quick, init_from_nemo_model: archive, model });
    expect(code, err).toBe(0);
    expect(err).toMatch(/max_steps=2 reached/);
    expect(err).toMatch(/train_ds.pin_memory: "pin_memory" has no effect/);
    const odd = await train({ ...quick, init_from_nemo_model: archive, model: { ...model, lables: [] } });
    expect(odd.err).toMatch(/without an encoder has no key "lables"/);
  });

  it('trains a model of several languages, whose checkpoint has the tokenizers of all', async () => {
    const dir = (lang: string, lines: string[]) =>
      trainTokenizerFolder({ dataRoot: file(lang), lines, vocabSize: 8 }).dir;
    const langs = {
      xx: { dir: dir('xx', ['ab', 'ba', 'aab']), type: 'bpe' },
      yy: { dir: dir('yy', ['c a', 'bc', 'ac b']), type: 'bpe' },
    };
    const set = { manifest_filepath: file('all.json'), batch_size: 2, num_workers: 0 };
    const model = tinyModel({
      labels: undefined,
      tokenizer: { type: 'agg', langs },
      train_ds: set,
      validation_ds: set,
      optim: { name: 'adamw', lr: 0.01 },
    });
    const { code, err } = await train({
      ...quick,
      exp_manager: { exp_dir: folder, name: 'agg', version: 'v' },
      model,
    });
    expect(code, err).toBe(0);
    const wanted = (createModel(model) as SpeechModel).tokenizer;
    rmSync(langs.xx.dir, { recursive: true });
    rmSync(langs.yy.dir, { recursive: true });
    let out = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      out += String(chunk);
      return true;
    });
    expect(await run(['transcribe', file('agg/v'), file('0.wav')])).toBe(0);
    vi.restoreAllMocks();
    process.exitCode = undefined;
    expect(out).toContain('0.wav');
    expect(wanted).toBeInstanceOf(AggregateTokenizer);
    expect(wanted.textToIds('ab', 'xx')).not.toEqual(wanted.textToIds('ab', 'yy'));
  });
});
