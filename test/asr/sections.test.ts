// What is no mapping where a section of a config belongs: an error of the config, at every door of the library.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  adaptedModel,
  createFromConfig,
  createModel,
  EncDecCTCModel,
  EncDecRNNTModel,
  initFromConfig,
  restoreModel,
} from '../../src/asr/index.js';
import { Augmentor, MelFrontEnd, SpectrogramAugmentation } from '../../src/audio/index.js';
import {
  configFromObject,
  configFromText,
  mergeConfigs,
  toYaml,
  withOverrides,
} from '../../src/config/index.js';
import { createEngine, createReferenceEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { loadTokenizer } from '../../src/text/index.js';
import { Trainer } from '../../src/training/index.js';
import { tinyModel } from './support.js';

const engine = createReferenceEngine();
const archive = join(import.meta.dirname, '../fixtures/nemo/ctc-char.nemo');
const good = tinyModel({ target: 'EncDecRNNTModel' });

/** Every door that takes a section. Values are none of its type, which only a program without types can give. */
const doors: Readonly<Record<string, (section: never) => unknown>> = {
  createModel: (section) => createModel(section, { engine }),
  createFromConfig: (section) => createFromConfig(section, { engine }),
  'createFromConfig of a model': (model) => createFromConfig({ model }, { engine }),
  adaptedModel: (section) => adaptedModel(section, { engine }),
  initFromConfig: (section) => initFromConfig(createModel(good as never, { engine }).module, section, engine),
  'EncDecCTCModel.fromConfig': (section) => EncDecCTCModel.fromConfig(section, { engine }),
  'EncDecRNNTModel.fromConfig': (section) => EncDecRNNTModel.fromConfig(section, { engine }),
  'restoreModel config': (config) => restoreModel(archive, { engine }, { config }),
  Trainer: (section) => new Trainer(section, { engine }),
  loadTokenizer: (section) => loadTokenizer(section),
  'loadTokenizer langs': (en) => loadTokenizer({ type: 'agg', langs: { en } }),
  configFromObject: (value) => configFromObject(value),
  withOverrides: (value) => withOverrides(value, ['+a=1']),
  mergeConfigs: (value) => mergeConfigs(configFromText('a: 1'), value),
  toYaml: (value) => toYaml(value),
  Augmentor: (section) => Augmentor.fromConfig({ speed: section }),
  MelFrontEnd: (section) => new MelFrontEnd(section),
  SpectrogramAugmentation: (section) => new SpectrogramAugmentation(section),
  createEngine: (section) => createEngine(section),
};
for (const key of ['preprocessor', 'encoder', 'decoder', 'joint', 'optim', 'train_ds', 'decoding', 'loss']) {
  Object.assign(doors, {
    [`model.${key}`]: (section: never) => createModel({ ...good, [key]: section } as never, { engine }),
  });
}

describe('a section that is no mapping', () => {
  it.each(Object.keys(doors))('is an error of the config in %s', async (door) => {
    for (const value of ['text', 5, true, ['a']]) {
      const error = await (async () => doors[door](value as never))().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect([value, error instanceof AnemoneError ? 'AnemoneError' : error]).toEqual([
        value,
        'AnemoneError',
      ]);
    }
  });

  it('may be null where it must be there, which is the same error', async () => {
    for (const door of [
      'createModel',
      'createFromConfig of a model',
      'loadTokenizer',
      'createEngine',
      'toYaml',
    ]) {
      await expect((async () => doors[door](null as never))()).rejects.toMatchObject({
        code: 'config.not-a-mapping',
      });
    }
  });
});
