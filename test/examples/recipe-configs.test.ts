// The YAML files of the recipes: each loads, and makes the model it describes. The data and the trained tokenizer
// are not there, so a character tokenizer stands in; every other key is checked as training would.
import { describe, expect, it } from 'vitest';
import { createModel } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { type ConfigNode, loadConfig, resolveConfig } from '../../src/config/index.js';
import { Trainer } from '../../src/training/index.js';

const RECIPES = [
  ['examples/festvox-ru/config.yaml', 'data/festvox-ru', 'tokenizer_spe_bpe_v64'],
  ['examples/asterisk/config.yaml', 'data/asterisk', 'tokenizer_spe_bpe_v256'],
  ['benchmarks/fotaq/config.yaml', 'data/fotaq', 'tokenizer_spe_bpe_v64'],
] as const;

const STAND_IN = ['~model.tokenizer', '+model.tokenizer={type: char, labels: [a, b, c]}'];

const load = (file: string, overrides: string[] = []) =>
  loadConfig(new URL(`../../${file}`, import.meta.url).pathname, overrides);

describe.each(RECIPES)('%s', (file, data, tokenizer) => {
  it('reads manifests and tokenizer where its README puts them', () => {
    const { model } = resolveConfig(load(file)) as {
      model: Record<'train_ds' | 'validation_ds' | 'test_ds', { manifest_filepath: string }> & {
        tokenizer: { dir: string };
      };
    };
    expect(model.train_ds.manifest_filepath).toBe(`${data}/train.json`);
    expect(model.validation_ds.manifest_filepath).toBe(`${data}/dev.json`);
    expect(model.test_ds.manifest_filepath).toBe(`${data}/test.json`);
    expect(model.tokenizer.dir).toBe(`${data}/${tokenizer}`);
  });

  it('makes its model and trainer', async () => {
    const config = load(file, STAND_IN);
    const trainer = new Trainer({ ...(config['trainer'] as object), engine: { name: 'reference' } });
    const model = createModel(config['model'] as ConfigNode, { container: createDefaultContainer() });
    expect([...model.module.parameters()].length).toBeGreaterThan(100);
    await trainer.dispose();
  });
});
