// A model that no machine can hold is told in one line, with its number and its section, before memory is taken.
import { describe, expect, it } from 'vitest';
import { createModel } from '../../src/asr/index.js';
import { configFromObject, configFromText, toYaml } from '../../src/config/index.js';
import { checkSize } from '../../src/model/model-size.js';
import { Linear } from '../../src/nn/index.js';
import { tinyModel } from '../asr/support.js';

const yaml = toYaml(configFromObject({ model: tinyModel() }));

function refusalOf(overrides: readonly string[]): string {
  try {
    createModel(configFromText(yaml, overrides, { file: 'a.yaml' })['model'] as never);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a model without bounds', () => {
  it.each([
    ['model.encoder.d_model=1000000000', 'model.encoder'],
    ['++model.encoder.ff_expansion_factor=1000000000', 'model.encoder'],
    ['++model.encoder.feat_out=1000000000', 'model.encoder'],
    ['model.decoder.prednet.pred_hidden=1000000000', 'model.decoder'],
    ['model.joint.jointnet.joint_hidden=1000000000', 'model.joint'],
  ])('%s', (override, section) => {
    const message = refusalOf([override]);
    expect(message).toMatch(
      new RegExp(`^a\\.yaml:\\d+:\\d+: ${section}: .* parameters take .* GiB; this machine has`),
    );
    expect(message).not.toContain('\n');
  });

  it('is measured against the memory there is', () => {
    const linear = new Linear(10, 10);
    const bytes = 4 * (100 + 10);
    expect(() => checkSize(linear, { path: 'x' }, bytes)).not.toThrow();
    expect(() => checkSize(linear, { path: 'x' }, bytes - 1)).toThrow('x: 110 parameters take');
  });

  it('has no tensor that an index of 32 bits does not reach', () => {
    expect(() => checkSize(new Linear(2 ** 16, 2 ** 16), { path: 'x' }, 2 ** 50)).toThrow(
      'x: a parameter of 4.29 billion numbers is more than one tensor can hold',
    );
  });
});
