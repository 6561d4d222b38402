// A family of models of a user's (examples/custom-model): it is registered, and everything that works for models works for it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DeepCTCModel, deepCtcComponents } from '../../../examples/custom-model/model.js';
import {
  createModel,
  EncDecCTCModelBPE,
  restoreConfig,
  restoreModel,
  stagesOf,
} from '../../../src/asr/index.js';
import { createDefaultContainer } from '../../../src/composition.js';
import { configFromObject, selectValue } from '../../../src/config/index.js';
import { OnnxEngine } from '../../../src/engine/index.js';
import { letters, tinyModel, toneSpeech } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-family-'));
const engine = new OnnxEngine({ threads: 1 });
const container = createDefaultContainer().registerAll(deepCtcComponents);
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});

const context = { engine, container, seed: 3 };
const section = (changes: object = {}) =>
  tinyModel({
    decoder: undefined,
    joint: undefined,
    classifier: { temperature: 0.5, note: 'mine' },
    ...changes,
  });
const speech = [toneSpeech('ab', 1)];

function deepCtc(changes: object = {}): DeepCTCModel {
  const model = createModel(section(changes), context);
  if (!(model instanceof DeepCTCModel)) throw new Error('of another class');
  return model;
}

describe('a family of models of a user', () => {
  it('is recognised by its section, or named by target', async () => {
    expect(createModel(section(), context)).toBeInstanceOf(DeepCTCModel);
    expect(createModel(section({ target: 'mine.models.DeepCTCModel' }), context)).toBeInstanceOf(
      DeepCTCModel,
    );
    const others = { decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 } };
    const ctc = tinyModel({ ...others, joint: undefined });
    expect(createModel(ctc, context)).toBeInstanceOf(EncDecCTCModelBPE);
    // A key by which NeMo's self-supervised models are known makes a registered family's section none of theirs.
    expect(() => createModel(section({ masking: {} }), context)).toThrow(/masking(?!.*not supported)/);
    expect(() => createModel(section(), { engine })).toThrow(/classifier/);
  });

  it('has its mistakes told as those of any model', async () => {
    expect(() => createModel(section({ classifier: { hiden: 2 } }), context)).toThrow(
      /model\.classifier\.hiden.*hidden/s,
    );
  });

  it('hears', async () => {
    const [{ text }] = await deepCtc().transcribe(speech);
    expect(text).toMatch(/^[abc ]*$/);
  });

  it('is inspected by its own stages, in the order of its network', async () => {
    const { tensors } = await stagesOf(deepCtc(), engine, speech[0], 'ab');
    const names = [...tensors.keys()];
    expect(names.slice(0, 2)).toEqual(['processed_signal', 'processed_signal_length']);
    expect(names.slice(-3)).toEqual(['encoder.encoded_lengths', 'classifier.logprobs', 'loss.ctc']);
    expect(tensors.get('classifier.logprobs')?.shape.at(-1)).toBe(letters.length + 1);
    expect(Number.isFinite(tensors.get('loss.ctc')?.data[0])).toBe(true);
  });

  it('is saved as it says, and restored with the same weights', async () => {
    const model = deepCtc();
    const path = join(folder, 'one.nemo');
    await model.saveTo(path);
    const written = await restoreConfig(path);
    expect(selectValue(written, 'model.target')).toBe('mine.models.DeepCTCModel');
    expect(JSON.parse(JSON.stringify(selectValue(written, 'model.classifier')))).toEqual({
      temperature: 0.5,
      num_classes: 4,
    });
    const again = await restoreModel(path, context);
    expect(again).toBeInstanceOf(DeepCTCModel);
    expect(await again.transcribe(speech)).toEqual(await model.transcribe(speech));
  });

  it('leaves out of an archive what its network does not need, and nothing that it does', async () => {
    const path = join(folder, 'two.nemo');
    await deepCtc().saveTo(path);
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    await restoreModel(path, { ...context, log }, { config: configFromObject({ train_notes: { a: 1 } }) });
    expect(lines.join('\n')).toContain('left out of the archive');
    const wrong = { config: configFromObject({ classifier: { wrong: 1 } }) };
    await expect(restoreModel(path, context, wrong)).rejects.toThrow(/classifier\.wrong/);
  });

  it('starts the layers of its vocabulary anew, and those alone where all is kept', async () => {
    const valuesOf = async (model: DeepCTCModel, name: string) => engine.read(model.stateDict().get(name)!);
    const model = deepCtc();
    const hidden = await valuesOf(model, 'classifier.hidden.weight');
    expect(await model.changeVocabulary({ labels: ['a', 'b'] }, { keep: 'all' })).toBe(model);
    expect(await valuesOf(model, 'classifier.hidden.weight')).toEqual(hidden);
    expect((await valuesOf(model, 'classifier.output.bias')).length).toBe(3);
    const other = await deepCtc({ labels: ['c', 'b', 'a'] }).withVocabulary({ labels: ['a', 'b'] });
    expect(other).toBeInstanceOf(DeepCTCModel);
    expect((await valuesOf(other, 'classifier.output.bias')).length).toBe(3);
  });

  it('needs no other file: without its registration, none of it is known', async () => {
    const path = join(folder, 'three.nemo');
    await deepCtc().saveTo(path);
    await expect(restoreModel(path, { engine })).rejects.toThrow(/DeepCTCModel/);
  });
});
