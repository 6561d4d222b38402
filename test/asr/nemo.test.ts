// .nemo archives: two that NeMo made (benchmarks/parity/fixture.py) against what NeMo computed, our own way
// there and back, and archives that are wrong or hostile.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createModel,
  EncDecCTCModelBPE,
  EncDecHybridRNNTCTCBPEModel,
  EncDecRNNTBPEModel,
  initFrom,
  initFromConfig,
  restoreConfig,
  restoreModel,
  type SpeechModel,
  stagesOf,
} from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { configFromObject, selectValue } from '../../src/config/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import {
  fileSource,
  memorySource,
  readSafetensors,
  readTar,
  tarParts,
  tensorToFloat32,
} from '../../src/formats/index.js';
import { tinyModel } from './support.js';

const fixtures = join(import.meta.dirname, '../fixtures/nemo');
const hybrid = join(fixtures, 'hybrid-bpe.nemo');
const characters = join(fixtures, 'ctc-char.nemo');
const { text: spoken } = JSON.parse(readFileSync(join(fixtures, 'facts.json'), 'utf8')) as { text: string };
const folder = mkdtempSync(join(tmpdir(), 'anemone-nemo-'));
const file = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let engine: OnnxEngine;
beforeEach(() => {
  engine = new OnnxEngine({ threads: 1 });
});
afterEach(() => engine.dispose());

/** The recording of the fixtures: a tone that rises. */
const samples = Float32Array.from({ length: 4800 }, (_, i) => Math.sin(i ** 1.3 / 40) * 0.3);

async function differences(name: string, model: SpeechModel): Promise<Record<string, number>> {
  const source = await fileSource(join(fixtures, `${name}.safetensors`));
  const { tensors: wanted } = await readSafetensors(source);
  await source.close();
  wanted.delete('padded.outputs');
  const { tensors } = await stagesOf(model, engine, samples, spoken);
  const rows = [...wanted].map(([stage, tensor]) => {
    const found = tensors.get(stage);
    if (found?.shape.join() !== tensor.shape.join()) return [stage, Number.POSITIVE_INFINITY] as const;
    const values = tensorToFloat32(tensor);
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const most = values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found.data[i])), 0);
    return [stage, most / scale] as const;
  });
  return Object.fromEntries(rows);
}

async function valuesOf(model: SpeechModel): Promise<Map<string, Buffer>> {
  const values = new Map<string, Buffer>();
  for (const [name, state] of model.stateDict()) {
    const data = await engine.read(state);
    values.set(name, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  return values;
}

function same(a: Map<string, Buffer>, b: Map<string, Buffer>): string[] {
  return [...a.keys()].filter((name) => b.get(name)?.equals(a.get(name) as Buffer));
}

/** An archive of NeMo with members replaced, or added, or (with undefined) left out. */
async function altered(
  path: string,
  changes: Record<string, Uint8Array | string | undefined>,
): Promise<string> {
  const archive = await readTar(memorySource(new Uint8Array(readFileSync(path))));
  const members = new Map<string, Uint8Array>();
  for (const name of archive.members.keys()) members.set(name, await archive.read(name));
  for (const [name, content] of Object.entries(changes)) {
    if (content === undefined) members.delete(name);
    else members.set(name, typeof content === 'string' ? Buffer.from(content) : content);
  }
  const parts: Uint8Array[] = [];
  const inputs = [...members].map(([name, bytes]) => ({ name, size: bytes.length, parts: [bytes] }));
  for await (const part of tarParts(inputs)) parts.push(part);
  const target = file(`altered-${readdirSync(folder).length}.nemo`);
  writeFileSync(target, Buffer.concat(parts));
  return target;
}

async function failure(promise: Promise<unknown>): Promise<AnemoneError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AnemoneError);
  return error as AnemoneError;
}

describe('archives that NeMo made', () => {
  it.each([
    ['hybrid-bpe', EncDecHybridRNNTCTCBPEModel],
    ['ctc-char', EncDecCTCModelBPE],
  ] as const)('%s: every stage computes what it does in NeMo', async (name, type) => {
    const before = readdirSync(fixtures).length;
    const model = await restoreModel(join(fixtures, `${name}.nemo`), { engine });
    expect(model).toBeInstanceOf(type);
    const found = await differences(name, model);
    expect(Object.keys(found).length).toBeGreaterThan(6);
    for (const [stage, difference] of Object.entries(found)) {
      expect({ stage, small: difference < 1e-5 }).toEqual({ stage, small: true });
    }
    expect(readdirSync(fixtures).length).toBe(before);
  });

  it('with MFCCs computes what NeMo does, and so does what is saved of it', async () => {
    const golden = new URL('../golden/mfcc.json', import.meta.url);
    const { archive } = JSON.parse(readFileSync(golden, 'utf8')) as {
      archive: { shape: number[]; data: number[] };
    };
    const model = await restoreModel(join(fixtures, 'ctc-mfcc.nemo'), { engine });
    await model.saveTo(file('mfcc.nemo'));
    const again = await restoreModel(file('mfcc.nemo'), { engine });
    for (const one of [model, again]) {
      const { tensors } = await stagesOf(one, engine, samples);
      const found = tensors.get('decoder.logprobs')!;
      expect(found.shape).toEqual(archive.shape);
      const worst = archive.data.reduce((most, x, i) => Math.max(most, Math.abs(x - found.data[i])), 0);
      expect(worst).toBeLessThan(5e-5);
    }
    expect(same(await valuesOf(model), await valuesOf(again))).toEqual([...again.stateDict().keys()]);
  });

  it('follows the numerics of the version that saved it, unless told otherwise', async () => {
    const compat = async (overrides: string[]) =>
      (await restoreModel(characters, { engine }, { overrides })).encoder as unknown as {
        config: { nemo_compat: string };
      };
    expect((await compat([])).config.nemo_compat).toBe('1.x');
    expect((await compat(['model.nemo_version=2.5.1'])).config.nemo_compat).toBe('2.5');
    expect((await compat(['+model.nemo_compat="2.5"'])).config.nemo_compat).toBe('2.5');
  });

  it('can be gzipped, as before NeMo 1.7', async () => {
    writeFileSync(file('gzipped.nemo'), gzipSync(readFileSync(characters)));
    const found = await differences('ctc-char', await restoreModel(file('gzipped.nemo'), { engine }));
    expect(Math.max(...Object.values(found))).toBeLessThan(1e-5);
  });

  it('finds the characters of a model where old archives have them', async () => {
    const archive = await readTar(memorySource(new Uint8Array(readFileSync(characters))));
    const text = new TextDecoder().decode(await archive.read('model_config.yaml'));
    const old = text.replace(/^labels:\n(- .*\n)+/m, '');
    expect(old).not.toBe(text);
    const model = await restoreModel(await altered(characters, { 'model_config.yaml': old }), { engine });
    expect(model.tokenizer.idsToText([8, 9])).toBe('hi');
  });

  it('gives its config alone, and takes changes of it', async () => {
    const config = await restoreConfig(hybrid, ['model.encoder.dropout=0.3']);
    expect(selectValue(config, 'model.encoder.dropout')).toBe(0.3);
    expect(selectValue(config, 'model.tokenizer.model_path')).toMatch(/^nemo:[0-9a-f]{32}_tokenizer\.model$/);
    const override = configFromObject({ encoder: { dropout: 0.4 } });
    const model = await EncDecHybridRNNTCTCBPEModel.restoreFrom(hybrid, { engine }, { config: override });
    expect(model.config['encoder']).toMatchObject({ dropout: 0.4, d_model: 8 });
  });

  it('leaves a model that a checkpoint of ours can carry: tokenizer files under plain names', async () => {
    const model = await restoreModel(hybrid, { engine });
    expect(model.config['tokenizer']).toMatchObject({ model_path: 'tokenizer.model' });
    const artifacts = await model.artifacts();
    const again = createModel(configFromObject({ model: model.config }).model, { engine, artifacts });
    expect((again as SpeechModel).tokenizer.textToIds(spoken)).toEqual(model.tokenizer.textToIds(spoken));
  });

  it('says which weights differ, and with strict: false loads the others', async () => {
    const overrides = ['model.encoder.n_layers=2'];
    const error = await failure(restoreModel(characters, { engine }, { overrides }));
    expect(error.code).toBe('checkpoint.mismatch');
    expect(error.message).toMatch(/missing in the checkpoint: encoder\.layers\.1\./);
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    await restoreModel(characters, { engine, log }, { overrides, strict: false });
    expect(lines.join()).toContain('encoder.layers.1.norm_out.weight');
    const wider = await failure(
      restoreModel(
        characters,
        { engine },
        { overrides: ['model.encoder.ff_expansion_factor=3'], strict: false },
      ),
    );
    expect(wider.message).toContain(
      'encoder.layers.0.feed_forward1.linear1.weight is [16,8], the model has [24,8]',
    );
  });

  it('needs an engine, and the file', async () => {
    expect((await failure(restoreModel(characters, {}))).code).toBe('asr.no-engine');
    expect((await failure(restoreModel(file('none.nemo'), { engine }))).code).toBe('nemo.missing');
  });
});

describe('archives of our own', () => {
  it('come back with the same weights and outputs, and equal models are equal files', async () => {
    const model = await restoreModel(hybrid, { engine });
    await model.saveTo(file('again.nemo'));
    await model.saveTo(file('twice.nemo'), { engine });
    expect(readFileSync(file('again.nemo')).equals(readFileSync(file('twice.nemo')))).toBe(true);
    const again = await restoreModel(file('again.nemo'), { engine });
    expect(Math.max(...Object.values(await differences('hybrid-bpe', again)))).toBeLessThan(1e-5);
    const [a, b] = [await valuesOf(model), await valuesOf(again)];
    expect(same(a, b)).toEqual([...a.keys()]);
    expect(readdirSync(folder).filter((name) => name.includes('writing'))).toEqual([]);
  });

  it('have all that NeMo reads: class paths, sizes, labels, and none of our own keys', async () => {
    const node = tinyModel({ nemo_compat: '1.x', labels: ['a', '\\${', '=', 'yes'] });
    const model = createModel(node, { engine, seed: 3 }) as SpeechModel;
    await model.saveTo(file('ours.nemo'));
    const { model: saved } = await restoreConfig(file('ours.nemo'));
    expect(saved).toMatchObject({
      target: 'nemo.collections.asr.models.rnnt_models.EncDecRNNTModel',
      nemo_version: '1.23.0',
      labels: ['a', '${', '=', 'yes'],
      model_defaults: { enc_hidden: 16, pred_hidden: 16, joint_hidden: 16 },
      joint: { num_classes: 4, jointnet: { encoder_hidden: 16, pred_hidden: 16, activation: 'relu' } },
      decoding: { strategy: 'greedy_batch' },
    });
    expect('tokenizer' in saved).toBe(false);
    const back = await restoreModel(file('ours.nemo'), { engine });
    expect(same(await valuesOf(model), await valuesOf(back)).length).toBe(model.stateDict().size);
  });

  it('have one value under all names of what is tied: NeMo takes the last', async () => {
    const encoder = { ...(tinyModel()['encoder'] as object), n_layers: 2, untie_biases: false };
    const model = createModel(tinyModel({ encoder }), { engine }) as SpeechModel;
    const name = (layer: number) => `encoder.layers.${layer}.self_attn.pos_bias_u`;
    const trained = Float32Array.from({ length: 16 }, (_, i) => i + 1);
    await engine.write(model.stateDict().get(name(0))!, trained);
    await model.saveTo(file('tied.nemo'));
    const again = (await restoreModel(file('tied.nemo'), { engine })).stateDict();
    expect(Array.from(await engine.read(again.get(name(1))!))).toEqual(Array.from(trained));
  });

  it('name a component of the user by the path of NeMo that it was registered with', async () => {
    const container = createDefaultContainer();
    const { components } = container;
    const conformer = components.find('ConformerEncoder', 'encoder');
    const path = 'nemo.collections.asr.modules.mine.MyEncoder';
    container.registerAll([{ ...conformer, name: 'MyEncoder', aliases: [path] }]);
    const encoder = { ...(tinyModel()['encoder'] as object), _target_: 'MyEncoder' };
    const model = createModel(tinyModel({ encoder }), { engine, container }) as SpeechModel;
    await model.saveTo(file('with-mine.nemo'));
    expect(selectValue(await restoreConfig(file('with-mine.nemo')), 'model.encoder._target_')).toBe(path);
  });

  it('cannot be made of parts that NeMo has not', async () => {
    const model = createModel(tinyModel(), { engine }) as SpeechModel;
    (model.config as { encoder: { _target_: string } }).encoder._target_ = 'MyEncoder';
    expect((await failure(model.saveTo(file('mine.nemo')))).code).toBe('nemo.not-nemos');
    expect(readdirSync(folder)).not.toContain('mine.nemo');
  });
});

describe('several tokenizers', () => {
  it('are archived apart and found again', async () => {
    const data = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/text/test_model.model')));
    const other = new Uint8Array(
      readFileSync(join(import.meta.dirname, '../fixtures/text/test_ja_model.model')),
    );
    writeFileSync(file('en.model'), data);
    writeFileSync(file('de.model'), other);
    const langs = {
      en: { type: 'bpe', model_path: file('en.model') },
      de: { type: 'bpe', model_path: file('de.model') },
    };
    const node = tinyModel({ labels: undefined, tokenizer: { type: 'agg', langs } });
    const model = createModel(node, { engine }) as SpeechModel;
    await model.saveTo(file('agg.nemo'));
    const again = await restoreModel(file('agg.nemo'), { engine });
    expect(again.tokenizer.vocabulary).toEqual(model.tokenizer.vocabulary);
    expect(selectValue(await restoreConfig(file('agg.nemo')), 'model.tokenizer.langs.de.model_path')).toMatch(
      /^nemo:/,
    );
  });
});

describe('wrong and hostile archives', () => {
  const failing = async (changes: Parameters<typeof altered>[1], path = characters) =>
    failure(restoreModel(await altered(path, changes), { engine }));

  it('weights that want to run a command are refused, and nothing runs', async () => {
    const marker = file('was-here');
    const pickle = `cos\nsystem\n(S'touch ${marker}'\ntR.`;
    const { ZipWriter } = await import('../../src/formats/zip.js');
    const zip = new ZipWriter();
    const entry = zip.entry({ name: 'w/data.pkl', bytes: Buffer.from(pickle) });
    const weights = Buffer.concat([...entry, zip.finish()]);
    const error = await failing({ 'model_weights.ckpt': weights });
    expect(error.code).toBe('pickle.forbidden');
    expect(error.message).toContain('os.system');
    expect(readdirSync(folder)).not.toContain('was-here');
  });

  it('missing parts, other layouts and cut-off files are named', async () => {
    expect((await failing({ 'model_weights.ckpt': undefined })).code).toBe('nemo.not-a-model');
    const sharded = await failing({ 'model_weights.ckpt': undefined, 'mp_rank_00/model_weights.ckpt': 'x' });
    expect(sharded.message).toContain('mp_rank_00');
    expect((await failing({ 'model_weights.ckpt': 'not a checkpoint' })).code).toBe('torch.unsupported');
    expect((await failing({ 'model_config.yaml': 'a: [' })).code).toMatch(/^config\./);
    expect((await failing({ 'model_config.yaml': 'target: os.system' })).code).toBe(
      'container.unknown-component',
    );
    const bytes = readFileSync(characters);
    writeFileSync(file('cut.nemo'), bytes.subarray(0, bytes.length / 2));
    expect((await failure(restoreModel(file('cut.nemo'), { engine }))).code).toMatch(/^tar\./);
    const lost = await failing(
      { 'model_config.yaml': (await configText(hybrid)).replace(/nemo:/g, 'nemo:x') },
      hybrid,
    );
    expect(lost.code).toBe('tokenizer.missing-file');
  });

  it('cannot make a model read files of this machine', async () => {
    const outside = join(import.meta.dirname, '../fixtures/text/test_model.model');
    const text = (await configText(hybrid)).replace(/model_path: .*/, `model_path: ${outside}`);
    const error = await failing({ 'model_config.yaml': text }, hybrid);
    expect(error.code).toBe('tokenizer.missing-file');
    expect(String(error.cause)).toContain('the archive has no such file');
  });

  it('unknown keys of the network are errors; those of data, decoding and training are left out', async () => {
    const text = await configText(characters);
    const lines: string[] = [];
    const more = `${text}decoding: {strategy: from-the-future}\nafterthought: {weight: 1}\n`
      .replace('train_ds:', 'train_ds:\n  from_the_future: 1')
      .replace('optim:', 'optim:\n  from_the_future: 1');
    const path = await altered(characters, { 'model_config.yaml': more.replace(/decoding:\n( .*\n)+/, '') });
    await restoreModel(path, { engine, log: (line) => void lines.push(line) });
    expect(lines.join()).toMatch(
      /model\.afterthought.*model\.train_ds\.from_the_future|model\.train_ds\.from_the_future.*model\.afterthought/,
    );
    const encoder = await failing({
      'model_config.yaml': text.replace('encoder:', 'encoder:\n  from_the_future: 1'),
    });
    expect(encoder.code).toBe('config.unknown-key');
  });

  async function configText(path: string): Promise<string> {
    const archive = await readTar(memorySource(new Uint8Array(readFileSync(path))));
    return new TextDecoder().decode(await archive.read('model_config.yaml'));
  }
});

describe('parts of other models', () => {
  const overrides = ['model.encoder.n_layers=1'];

  it('start a model: included, without the excluded', async () => {
    const source = await restoreModel(hybrid, { engine });
    const model = await EncDecHybridRNNTCTCBPEModel.restoreFrom(hybrid, { engine, seed: 9 }, { overrides });
    for (const state of model.stateDict().values()) await engine.write(state, state.initialValue());
    await initFrom(model, hybrid, engine, {
      include: ['encoder', 'joint'],
      exclude: ['pre_encode', 'joint.enc'],
    });
    const equal = new Set(same(await valuesOf(source), await valuesOf(model)));
    expect(equal.has('encoder.layers.0.self_attn.linear_q.weight')).toBe(true);
    expect(equal.has('joint.pred.weight')).toBe(true);
    expect(equal.has('joint.enc.weight')).toBe(false);
    expect(equal.has('encoder.pre_encode.out.weight')).toBe(false);
    expect(equal.has('decoder.prediction.embed.weight')).toBe(false);
  });

  it('are named at the top of a config as in NeMo', async () => {
    const model = await restoreModel(characters, { engine });
    for (const state of model.stateDict().values()) await engine.write(state, state.initialValue());
    const wanted = await valuesOf(await restoreModel(characters, { engine }));
    const init = (values: object) => initFromConfig(model, configFromObject(values), engine);
    await init({ init_from_nemo_model: { a: { path: characters, include: ['encoder'] } } });
    const part = same(wanted, await valuesOf(model));
    expect(part).toContain('encoder.layers.0.norm_out.weight');
    expect(part).not.toContain('decoder.decoder_layers.0.weight');
    await init({ init_from_nemo_model: characters });
    expect(same(wanted, await valuesOf(model))).toEqual([...wanted.keys()]);
    const both = init({ init_from_nemo_model: characters, init_from_ptl_ckpt: characters });
    expect((await failure(both)).code).toBe('init.two-sources');
    expect((await failure(init({ init_from_pretrained_model: 'x' }))).code).toBe('init.unsupported');
    const lightning = join(import.meta.dirname, '../fixtures/torch/lightning.ckpt');
    expect((await failure(init({ init_from_ptl_ckpt: lightning }))).code).toBe('init.nothing');
    const odd = init({ init_from_nemo_model: { a: { file: characters } } });
    expect((await failure(odd)).message).toContain('init_from_nemo_model.a');
  });
});

describe('another vocabulary', () => {
  const labels = ['a', 'b', ' '];

  it('keeps the encoder and starts decoder and joint anew', async () => {
    const model = await restoreModel(hybrid, { engine });
    const before = await valuesOf(model);
    const { encoder } = model;
    expect(await model.changeVocabulary({ labels })).toBe(model);
    expect(model.encoder).toBe(encoder);
    expect(model.tokenizer.vocabSize).toBe(3);
    expect(model.stateDict().get('joint.joint_net.2.weight')?.shape).toEqual([4, 10]);
    expect(model.stateDict().get('ctc_decoder.decoder_layers.0.bias')?.shape).toEqual([4]);
    const equal = same(before, await valuesOf(model));
    expect(equal.filter((name) => !/^(encoder|preprocessor)\./.test(name))).toEqual([]);
    expect(equal).toContain('encoder.layers.0.conv.batch_norm.running_var');
  });

  it('can keep all layers that do not depend on the vocabulary', async () => {
    const model = await restoreModel(hybrid, { engine });
    const before = await valuesOf(model);
    await model.changeVocabulary({ labels }, { keep: 'all' });
    const equal = same(before, await valuesOf(model));
    expect(equal).toContain('joint.enc.weight');
    expect(equal).toContain('decoder.prediction.dec_rnn.lstm.weight_hh_l0');
    expect(equal).not.toContain('joint.joint_net.2.weight');
    await model.saveTo(file('changed.nemo'));
    expect((await restoreModel(file('changed.nemo'), { engine })).tokenizer.vocabulary).toEqual(labels);
  });

  it('can be that of a new model, which is what the changed one becomes', async () => {
    const cases = [
      [characters, 'encoder'],
      [join(fixtures, 'hybrid-adapters.nemo'), 'all'],
    ] as const;
    for (const [archive, keep] of cases) {
      const model = await restoreModel(archive, { engine });
      const before = await valuesOf(model);
      const other = await model.withVocabulary({ labels }, { keep });
      expect(same(before, await valuesOf(model))).toEqual([...before.keys()]);
      expect(model.tokenizer.vocabSize).not.toBe(3);
      await model.changeVocabulary({ labels }, { keep });
      expect(other.constructor).toBe(model.constructor);
      expect(await valuesOf(model)).toEqual(await valuesOf(other));
      expect(model.config).toEqual(other.config);
      const stages = async (one: SpeechModel) => (await stagesOf(one, engine, samples, 'ab')).tensors;
      expect(await stages(model)).toEqual(await stages(other));
      expect(await model.transcribe([samples])).toEqual(await other.transcribe([samples]));
    }
  });

  it('is looked up in every layer that has its size', async () => {
    const decoder = {
      _target_: 'StatelessTransducerDecoder',
      context_size: 2,
      prednet: { pred_hidden: 16 },
    };
    const model = EncDecRNNTBPEModel.fromConfig(tinyModel({ decoder }), { engine });
    await model.changeVocabulary({ labels }, { keep: 'all' });
    expect(model.stateDict().get('decoder.prediction.embeds.1.weight')?.shape[0]).toBe(4);
    await engine.read(model.stateDict().get('decoder.prediction.embeds.1.weight')!);
  });

  it('leaves the model as it was where it cannot be made', async () => {
    const model = await restoreModel(hybrid, { engine });
    const before = await valuesOf(model);
    const error = await failure(model.changeVocabulary({ tokenizer: { type: 'bpe', dir: 'nowhere' } }));
    expect(error.path).toBe('model.tokenizer.dir');
    expect(same(before, await valuesOf(model))).toEqual([...before.keys()]);
    expect((await model.transcribe([samples])).length).toBe(1);
  });
});

describe('freezing', () => {
  it('by module and by pattern, from the config or in code', () => {
    const node = tinyModel({ freeze: ['encoder.pre_encode', '*.norm_out.*'] });
    const model = EncDecRNNTBPEModel.fromConfig(node, { engine });
    const frozen = () => [...model.parameters()].filter((p) => !p.trainable).map((p) => p.name);
    expect(frozen()).toEqual([
      'encoder.pre_encode.conv.0.weight',
      'encoder.pre_encode.conv.0.bias',
      'encoder.pre_encode.conv.2.weight',
      'encoder.pre_encode.conv.2.bias',
      'encoder.pre_encode.out.weight',
      'encoder.pre_encode.out.bias',
      'encoder.layers.0.norm_out.weight',
      'encoder.layers.0.norm_out.bias',
    ]);
    model.unfreeze('encoder.pre_encode');
    expect(frozen().length).toBe(2);
    expect(() => model.freeze('encodr')).toThrow(/names no parameter/);
  });
});
