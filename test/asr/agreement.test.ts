// Keys that must agree are named with each other and their lines, before any data is looked for.
import { describe, expect, it } from 'vitest';
import { createModel } from '../../src/asr/index.js';
import { mustAgree } from '../../src/asr/models/agreement.js';
import { configFromObject, configFromText, toYaml } from '../../src/config/index.js';
import { tinyModel } from './support.js';

const mels = { encoder: { feat_in: 9 } };
const frames = { _target_: 'ConvASRDecoder' };

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The tiny model with single keys changed; a component of another class takes the place of the whole section. */
function changed(change: Tree) {
  const base = JSON.parse(JSON.stringify(tinyModel())) as Tree;
  const merge = (old: unknown, more: unknown): unknown => {
    if (!isTree(old) || !isTree(more) || '_target_' in more) return more;
    const keys = Object.entries(more).map(([key, value]) => [key, merge(old[key], value)]);
    return { ...old, ...Object.fromEntries(keys) };
  };
  return tinyModel(merge(base, change) as Tree);
}

describe('a model section', () => {
  it.each([
    [mels, 'model.encoder.feat_in', 'model.preprocessor.features'],
    [{ sample_rate: 16000 }, 'model.sample_rate', 'model.preprocessor.sample_rate'],
    [{ train_ds: { batch_size: 1, sample_rate: 16000 } }, 'model.train_ds.sample_rate', 'model.preprocessor.sample_rate'], // biome-ignore format: one line reads better
    [{ validation_ds: { batch_size: 1, sample_rate: 16000 } }, 'model.validation_ds.sample_rate', 'model.preprocessor.sample_rate'], // biome-ignore format: one line reads better
    [{ test_ds: { batch_size: 1, sample_rate: 16000 } }, 'model.test_ds.sample_rate', 'model.preprocessor.sample_rate'], // biome-ignore format: one line reads better
    [
      { joint: { jointnet: { encoder_hidden: 99 } } },
      'model.joint.jointnet.encoder_hidden',
      'model.encoder.d_model',
    ],
    [{ joint: { jointnet: { pred_hidden: 99 } } }, 'model.joint.jointnet.pred_hidden', 'model.decoder.prednet.pred_hidden'], // biome-ignore format: one line reads better
    [
      { joint: undefined, decoder: { ...frames, feat_in: 99 } },
      'model.decoder.feat_in',
      'model.encoder.d_model',
    ],
    [
      { joint: undefined, decoder: { ...frames, num_classes: 99 } },
      'model.decoder.num_classes',
      'model.labels',
    ],
    [
      { aux_ctc: { decoder: { ...frames, num_classes: 99 } } },
      'model.aux_ctc.decoder.num_classes',
      'model.labels',
    ],
    [{ joint: undefined, decoder: { ...frames, num_classes: 9, vocabulary: ['a'] } }, 'model.decoder.num_classes', 'model.decoder.vocabulary'], // biome-ignore format: one line reads better
  ])('%j: %s and %s', (change, key, other) => {
    let message = '';
    try {
      createModel(changed(change));
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(`${key}: is `);
    expect(message).toContain(`but ${other}`);
  });

  it('is fine with placeholders, null and equal values', () => {
    const decoder = { ...frames, feat_in: null, num_classes: -1, vocabulary: [] };
    expect(() => createModel(changed({ joint: undefined, decoder }))).not.toThrow();
  });

  const yaml = toYaml(configFromObject({ model: JSON.parse(JSON.stringify(tinyModel())) as Tree }));
  it.each([
    ['n_heads: 2', 'n_heads: 3', 'model.encoder.n_heads'],
    ['subsampling_factor: 4', 'subsampling_factor: 3', 'model.encoder.subsampling_factor'],
    ['conv_kernel_size: 5', 'conv_kernel_size: 4', 'model.encoder.conv_kernel_size'],
    ['n_fft: 256', 'n_fft: 100', 'model.preprocessor.n_fft'],
    ['window_size: 0.025', 'window_size: 0.00001', 'model.preprocessor.window_size'],
  ])('says the line of what the parts themselves refuse: %s → %s', (old, changed, key) => {
    const lines = yaml.split('\n');
    const at = lines.findIndex((line) => line.trim() === old);
    lines[at] = lines[at].replace(old, changed);
    const { model } = configFromText(lines.join('\n'), [], { file: 'c.yaml' }) as never;
    expect(() => createModel(model)).toThrow(new RegExp(`^c\\.yaml:${at + 1}:\\d+: ${key}: `));
  });

  it('says both lines', () => {
    const text = 'model:\n  preprocessor:\n    features: 80\n  encoder:\n    feat_in: 40\n';
    const { model } = configFromText(text, [], { file: 'c.yaml' }) as never;
    expect(() => mustAgree(model, 'encoder.feat_in', 'preprocessor.features', 80)).toThrow(
      'c.yaml:5:14: model.encoder.feat_in: is 40, but model.preprocessor.features (c.yaml:3:15) makes it 80',
    );
  });
});
