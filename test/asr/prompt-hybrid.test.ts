// The hybrid model with prompts against NeMo 2.7.3 (test/golden/scripts/nemo_prompt_hybrid.py), from manifest to archive.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createModel,
  EncDecHybridRNNTCTCBPEModelWithPrompt,
  restoreConfig,
  restoreModel,
  stagesOf,
} from '../../src/asr/index.js';
import { selectValue } from '../../src/config/index.js';
import { float32, int32, OnnxEngine, tf, valueAndGrads } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { tinyModel, toneSpeech } from './support.js';
import { batchOf, trainer } from './training.js';

const fixtures = join(import.meta.dirname, '../fixtures/nemo');
const archive = join(fixtures, 'prompt-hybrid.nemo');
interface Facts {
  readonly prompts: Readonly<Record<string, number>>;
  readonly text: string;
  readonly ids: readonly number[];
  readonly loss: number;
  readonly rnnt: number;
  readonly ctc: number;
  readonly gradients: Readonly<Record<string, number[]>>;
  readonly encoded: Readonly<Record<string, number[]>>;
  readonly texts: Readonly<Record<string, string>>;
}
const facts = JSON.parse(readFileSync(join(fixtures, 'prompt-hybrid.json'), 'utf8')) as Facts;
const samples = Float32Array.from({ length: 4800 }, (_, i) => Math.sin(i ** 1.3 / 40) * 0.3);
const folder = mkdtempSync(join(tmpdir(), 'anemone-prompt-'));

let engine: OnnxEngine;
let model: EncDecHybridRNNTCTCBPEModelWithPrompt;
beforeAll(async () => {
  engine = new OnnxEngine({ threads: 1 });
  const restored = await restoreModel(archive, { engine });
  if (!(restored instanceof EncDecHybridRNNTCTCBPEModelWithPrompt)) throw new Error('of another class');
  model = restored;
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});

function difference(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  return wanted.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[i])), 0);
}

async function failure(promise: Promise<unknown>): Promise<AnemoneError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AnemoneError) return error;
  throw new Error(`no error of ours: ${String(error)}`);
}

async function conditioned(from: EncDecHybridRNNTCTCBPEModelWithPrompt, lang: string) {
  const { features, lengths, shape } = from.preprocessor.frontEnd.computeBatch([samples]);
  const program = engine.compile('prompted', ({ signal, ...rest }) => {
    const inputs = { ...rest, features: tf.transpose(signal, [0, 2, 1]) };
    return { encoded: tf.transpose(from.forward(inputs, evaluationPass).encoded, [0, 2, 1]) };
  });
  const { encoded } = await program.run({
    signal: float32(features, [...shape]),
    featureLengths: int32([lengths[0]], [1]),
    promptIndex: int32([from.promptIndex(lang)], [1]),
  });
  program.dispose();
  return encoded.data;
}

describe('a model with prompts that NeMo saved', () => {
  it('gives the heads what NeMo gives them, for each prompt another', async () => {
    const all = Object.entries(facts.encoded);
    for (const [lang, wanted] of all) {
      expect(difference(await conditioned(model, lang), wanted)).toBeLessThan(2e-5);
    }
    expect(difference(all[0][1], all[1][1])).toBeGreaterThan(0.1);
  });

  it("has NeMo's losses and gradients", async () => {
    const names = Object.keys(facts.gradients);
    expect(names).toHaveLength(4);
    const parameters = names.map((name) => model.stateDict().get(name) as never);
    const { features, lengths, shape } = model.preprocessor.frontEnd.computeBatch([samples]);
    const program = engine.compile('gradients', ({ signal, ...rest }) => {
      const inputs = { ...rest, features: tf.transpose(signal, [0, 2, 1]) };
      const { value, grads } = valueAndGrads(
        () => model.trainingStep(inputs, evaluationPass).loss,
        parameters,
      );
      return { loss: value, ...Object.fromEntries(grads.map((grad, i) => [names[i], grad])) };
    });
    const out = await program.run({
      signal: float32(features, [...shape]),
      featureLengths: int32([lengths[0]], [1]),
      ...model.labelInputs(facts.text, { lang: 'de-DE' }),
    });
    expect(out['loss'].data[0]).toBeCloseTo(facts.loss, 3);
    for (const name of names) expect(difference(out[name].data, facts.gradients[name])).toBeLessThan(2e-3);
    const { tensors } = await stagesOf(model, engine, samples, facts.text, 'de-DE');
    expect(tensors.get('loss.rnnt')?.data[0]).toBeCloseTo(facts.rnnt, 3);
    expect(tensors.get('loss.ctc')?.data[0]).toBeCloseTo(facts.ctc, 3);
    const { shape: stage, data } = tensors.get('prompt_kernel.outputs')!;
    const [, frames, width] = stage;
    const columns = Array.from({ length: width }, (_, c) => data.filter((_, i) => i % width === c));
    expect(stage).toEqual([1, facts.encoded['de-DE'].length / width, width]);
    expect(
      difference(
        columns.flatMap((column) => [...column]),
        facts.encoded['de-DE'],
      ),
    ).toBeLessThan(2e-5);
    expect(columns[0]).toHaveLength(frames);
  });

  it('hears with each prompt what NeMo hears, by either branch', async () => {
    for (const branch of ['rnnt', 'ctc'] as const) {
      model.changeDecodingStrategy(branch);
      for (const lang of Object.keys(facts.prompts)) {
        const [{ text }] = await model.transcribe([samples], { prompt: { target_lang: lang } });
        expect({ branch, lang, text }).toEqual({ branch, lang, text: facts.texts[`${branch} ${lang}`] });
      }
      const [{ text }] = await model.transcribe([samples]);
      expect(text).toBe(facts.texts[`${branch} en-US`]);
    }
    model.changeDecodingStrategy('rnnt');
  });

  it('hears each recording of a batch with its own prompt', async () => {
    const path = join(folder, 'a.wav');
    const { sample_rate: sampleRate } = model.preprocessor.frontEnd.config;
    writeFileSync(path, encodeWav([samples], { sampleRate, encoding: 'float' }));
    const rows = ['fr-FR', 'de-DE'].map((lang) => ({ audioPath: path, prompt: { target_lang: lang } }));
    const heard = await model.transcribe(rows);
    expect(heard.map(({ text }) => text)).toEqual([facts.texts['rnnt fr-FR'], facts.texts['rnnt de-DE']]);
  });

  it('hears buffered recordings each with its own prompt', async () => {
    const path = join(folder, 'buffered.wav');
    const { sample_rate: sampleRate } = model.preprocessor.frontEnd.config;
    writeFileSync(path, encodeWav([samples], { sampleRate, encoding: 'float' }));
    // One buffer holds all of it, so that the texts are those of the whole.
    const buffers = { chunkSeconds: 3, bufferSeconds: 3 };
    const texts = ['fr-FR', 'de-DE', 'en-US'].map((lang) => facts.texts[`rnnt ${lang}`]);
    const rows = ['fr-FR', 'de-DE'].map((lang) => ({ audioPath: path, prompt: { target_lang: lang } }));
    const heard = await model.transcribe([...rows, path], { ...buffers, prompt: { target_lang: 'en-US' } });
    expect(heard.map(({ text }) => text)).toEqual(texts);
    const unknown = model.transcribe([path], { ...buffers, prompt: { target_lang: 'xx' } });
    expect((await failure(unknown)).code).toBe('asr.unknown-prompt');
  });

  it('names the prompts it has for one it has not', async () => {
    const error = await failure(model.transcribe([samples], { prompt: { target_lang: 'xx' } }));
    expect(error.code).toBe('asr.unknown-prompt');
    expect(error.message).toMatch(/no prompt "xx".*en-US, de-DE, fr-FR/);
  });

  it('is saved with all that NeMo needs, and restored with the same outputs', async () => {
    const path = join(folder, 'saved.nemo');
    await model.saveTo(path);
    const config = await restoreConfig(path);
    expect(selectValue(config, 'model.target')).toMatch(
      /hybrid_rnnt_ctc_bpe_models_prompt\.EncDecHybridRNNTCTCBPEModelWithPrompt$/,
    );
    expect(selectValue(config, 'model.model_defaults.prompt_dictionary.fr-FR')).toBe(3);
    const again = await EncDecHybridRNNTCTCBPEModelWithPrompt.restoreFrom(path, { engine });
    expect(difference(await conditioned(again, 'fr-FR'), facts.encoded['fr-FR'])).toBeLessThan(2e-5);
  });
});

describe('a config with prompts', () => {
  const aux_ctc = { decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 } };
  const defaults = { initialize_prompt_feature: true, num_prompts: 4, prompt_dictionary: { en: 0, de: 2 } };
  const sectionOf = (changes: object) => tinyModel({ aux_ctc, model_defaults: defaults, ...changes });

  it('is told by its prompt_dictionary; without layers it is the plain hybrid', () => {
    const prompted = createModel(sectionOf({}));
    expect(prompted).toBeInstanceOf(EncDecHybridRNNTCTCBPEModelWithPrompt);
    expect([...prompted.module.stateDict().keys()].filter((key) => key.startsWith('prompt_kernel'))).toEqual([
      'prompt_kernel.0.weight',
      'prompt_kernel.0.bias',
      'prompt_kernel.2.weight',
      'prompt_kernel.2.bias',
    ]);
    const bare = createModel(sectionOf({ model_defaults: { prompt_dictionary: { en: 0 } } }));
    expect([...bare.module.stateDict().keys()].some((key) => key.startsWith('prompt_kernel'))).toBe(false);
  });

  it.each([
    [{ prompt_dictionary: { en: 4 }, num_prompts: 4 }, /"en" has 4, expected an integer from 0 to 3/],
    [{ prompt_dictionary: {} }, /expected a mapping of names to numbers/],
    [{ prompt_dictionary: { en: 0 }, num_prompts: 0 }, /num_prompts.*positive integer/],
  ])('%j is refused', (model_defaults, message) => {
    const target = 'EncDecHybridRNNTCTCBPEModelWithPrompt';
    expect(() => createModel(sectionOf({ target, model_defaults }))).toThrow(message);
  });

  it('looks no prompt up where the layers are not there', async () => {
    const section = sectionOf({ model_defaults: { prompt_dictionary: { en: 0 } } });
    const bare = EncDecHybridRNNTCTCBPEModelWithPrompt.fromConfig(section, { seed: 1, engine });
    const prompt = { target_lang: 'none such' };
    expect(bare.labelInputs('ab', { lang: 'none such' })).not.toHaveProperty('promptIndex');
    const [{ text }] = await bare.transcribe([samples], { prompt });
    const [buffered] = await bare.transcribe([samples], { prompt, chunkSeconds: 3, bufferSeconds: 3 });
    expect(buffered.text).toBe(text);
  });

  it('learns to write what the prompt says, from recordings that are alike', async () => {
    const section = sectionOf({ target: 'EncDecHybridRNNTCTCBPEModelWithPrompt' });
    const made = EncDecHybridRNNTCTCBPEModelWithPrompt.fromConfig(section, { seed: 1, engine });
    const one = batchOf(made, ['ab']).inputs;
    const labels = ['ab', 'ca'].map((text) => made.tokenizer.textToIds(text));
    const twice = (name: string) => {
      const { shape, data } = one[name];
      const values = [...data, ...data];
      const rows = [2, ...shape.slice(1)];
      return name === 'features' ? float32(values, rows) : int32(values, rows);
    };
    const inputs = {
      features: twice('features'),
      featureLengths: twice('featureLengths'),
      targets: int32(labels.flat(), [2, 2]),
      targetLengths: int32([2, 2], [2]),
      promptIndex: int32([0, 2], [2]),
    };
    const program = trainer(engine, made, 0.005);
    const losses: number[] = [];
    for (let step = 0; step < 200; step++) losses.push((await program.run(inputs))['loss'].data[0]);
    program.dispose();
    expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 4);
    const waveform = toneSpeech('ab', 0);
    for (const [lang, text] of [
      ['en', 'ab'],
      ['de', 'ca'],
    ] as const) {
      const [heard] = await made.transcribe([waveform], { prompt: { target_lang: lang } });
      expect([lang, heard.text]).toEqual([lang, text]);
    }
    const path = join(folder, 'alike.wav');
    writeFileSync(path, encodeWav([waveform], { sampleRate: 8000, encoding: 'float' }));
    const rows = ['de', 'en'].map((lang) => ({ audioPath: path, prompt: { target_lang: lang } }));
    const buffered = await made.transcribe(rows, { chunkSeconds: 3, bufferSeconds: 3 });
    expect(buffered.map(({ text }) => text)).toEqual(['ca', 'ab']);
  });

  it.each([
    ['target_lang', {}, { target_lang: 'de' }, 2],
    ['lang', {}, { lang: 'de' }, 2],
    ['a key of lang_field', { lang_field: 'tongue' }, { tongue: 'de', lang: 'en' }, 2],
  ])('takes the prompt of a line from %s', async (_name, section, line, index) => {
    const path = join(folder, 'tone.wav');
    writeFileSync(path, encodeWav([samples], { sampleRate: 8000 }));
    const manifest = join(folder, 'lines.json');
    writeFileSync(
      manifest,
      `${JSON.stringify({ audio_filepath: path, duration: 0.6, text: 'ab', ...line })}\n`,
    );
    const train_ds = { manifest_filepath: manifest, batch_size: 1, num_workers: 0, ...section };
    const made = createModel(sectionOf({ train_ds })) as EncDecHybridRNNTCTCBPEModelWithPrompt;
    const source = await made.trainingSource();
    for await (const { inputs } of source!.epoch(0)) expect([...inputs['promptIndex'].data]).toEqual([index]);
    await source!.close();
    writeFileSync(manifest, `${JSON.stringify({ audio_filepath: path, duration: 0.6, text: 'ab' })}\n`);
    const mute = await failure(made.trainingSource());
    expect(mute.message).toMatch(/lines\.json:1.*does not say its language.*en, de/);
    writeFileSync(
      manifest,
      `${JSON.stringify({ audio_filepath: path, duration: 0.6, text: 'ab', lang: 'ru' })}\n`,
    );
    expect((await failure(made.trainingSource())).message).toMatch(/lines\.json:1.*no prompt "ru"/);
  });
});
