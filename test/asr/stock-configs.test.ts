// The files of conf/asr: every size has as many parameters as in NeMo, and each file trains at a tiny size.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createModel, SpeechModel } from '../../src/asr/index.js';
import {
  type Config,
  type ConfigNode,
  configFromObject,
  loadConfig,
  resolveConfig,
} from '../../src/config/index.js';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import type { Module } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { trainSentencePiece } from '../../src/text/index.js';
import { expManagerSchema, trainerSchema } from '../../src/training/index.js';
import { randomTensor } from '../nn/support.js';
import { golden } from './golden.js';
import { trainer } from './training.js';

interface Size {
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly parameters: Readonly<Record<string, number>>;
}

type Tree = Record<string, unknown>;
const sizes = golden<Readonly<Record<string, Readonly<Record<string, Size>>>>>('parameter_counts');
const root = new URL('../../conf/asr/', import.meta.url).pathname;

/** A stock config with the values it asks for; a BPE model gets `vocabulary` characters for its tokens. */
function stock(name: string, overrides: Readonly<Record<string, unknown>>, vocabulary: number): Config {
  const config = loadConfig(`${root}${name}.yaml`, [
    'model.train_ds.manifest_filepath=train.json',
    'model.validation_ds.manifest_filepath=dev.json',
    ...Object.entries(overrides).map(([key, value]) => `${key}=${String(value)}`),
    ...(name.endsWith('_char') || /quartznet|jasper/.test(name) || isMultiTask(name)
      ? []
      : ['~model.tokenizer']),
    ...(isMultiTask(name)
      ? ['spl_tokens', 'en'].map((lang) => `model.tokenizer.langs.${lang}.dir=${lang}`)
      : []),
  ]);
  const plain = resolveConfig(config) as { model: Tree };
  if (isMultiTask(name)) return configFromObject(plain);
  const labels = Array.from({ length: vocabulary }, (_, i) => String.fromCodePoint(0x4e00 + i));
  return configFromObject({ ...plain, model: { labels, ...plain.model } });
}

const isMultiTask = (name: string): boolean => name.startsWith('speech_multitask');

/** The tokenizers of a multitask model, `vocabulary` tokens in all: special ones, and ideographs. */
function multiTaskTokenizers(vocabulary: number): Map<string, Uint8Array> {
  const special = ['<|nospeech|>', '<pad>', '<|endoftext|>', '<|startoftranscript|>', '<|pnc|>'];
  const texts = Array.from({ length: vocabulary - special.length - 4 }, (_, i) => String.fromCodePoint(0x4e00 + i)); // biome-ignore format: one line reads better
  const trained = (symbols: readonly string[]) =>
    trainSentencePiece({
      lines: symbols,
      vocabSize: symbols.length + 2,
      modelType: 'unigram',
      normalization: 'identity',
      userDefinedSymbols: symbols,
      bosId: -1,
      eosId: -1,
      removeExtraWhitespaces: false,
      hardVocabLimit: false,
    }).model;
  return new Map([
    ['spl_tokens/tokenizer.model', trained(special)],
    ['en/tokenizer.model', trained(texts)],
  ]);
}

function modelOf(config: Config, vocabulary = 1024): { model: SpeechModel; warnings: string[] } {
  const warnings: string[] = [];
  const model = createModel(config['model'] as ConfigNode, {
    seed: 1,
    log: (line) => warnings.push(line),
    ...('transf_decoder' in (config['model'] as ConfigNode) && {
      artifacts: multiTaskTokenizers(vocabulary),
    }),
  });
  if (!(model instanceof SpeechModel)) throw new Error('not a speech model');
  return { model, warnings };
}

it('has a count for every file', () => {
  const entries = readdirSync(root, { recursive: true }) as string[];
  const files = entries.filter((file) => file.endsWith('.yaml')).map((file) => file.replace('.yaml', ''));
  expect(files.sort()).toEqual(Object.keys(sizes).sort());
});

describe.each(Object.entries(sizes))('%s', (name, variants) => {
  it.each(Object.entries(variants))(
    'size %s has the parameters of NeMo',
    (_size, { overrides, parameters }) => {
      const { model } = modelOf(stock(name, overrides, 1024));
      const parts = model as unknown as Record<string, Module>;
      const part: Record<string, Module> = {
        encoder: model.encoder,
        decoder: parts['decoder'],
        joint: parts['joint'],
        ctc_decoder: parts['ctcDecoder'],
        head: parts['head'],
        projection: parts['projection'],
      };
      const own = Object.keys(parameters).map((key) => [key, part[key]?.parameterCount() ?? 0]);
      expect(Object.fromEntries(own)).toEqual(parameters);
      expect(model.parameterCount()).toBe(Object.values(parameters).reduce((a, b) => a + b));
    },
  );

  it('has sections for trainer and experiment that can be used', () => {
    const config = stock(name, {}, 4);
    expect(() => trainerSchema.parse(config['trainer'])).not.toThrow();
    expect(() => expManagerSchema.parse(config['exp_manager'])).not.toThrow();
  });

  it('trains at a tiny size', async () => {
    const { model } = modelOf(tiny(stock(name, {}, 3)), 16);
    const engine = new OnnxEngine({ threads: 1 });
    const { width: bins } = model.preprocessor.frontEnd.config;
    const inputs = {
      features: randomTensor([2, 40, bins], 5),
      featureLengths: int32([40, 33], [2]),
      targets: int32([1, 2, 0, 1], [2, 2]),
      targetLengths: int32([2, 1], [2]),
      ...(isMultiTask(name) && { promptLengths: int32([1, 1], [2]) }),
    };
    const train = trainer(engine, model, 0.001);
    const losses = [];
    for (let step = 0; step < 2; step++) {
      const { loss } = await train.run(inputs, { random: new CounterRandom(step) });
      losses.push(loss.data[0]);
    }
    await engine.dispose();
    expect(losses.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true);
    expect(losses[0]).not.toBe(losses[1]);
  });
});

/** The same kind of model, small: one or two layers, a few channels. */
function tiny(config: Config): Config {
  const plain = resolveConfig(config) as { model: Tree & { encoder: Tree } };
  const { model } = plain;
  const encoder = { ...model.encoder };
  const blocks = encoder['jasper'] as Tree[] | undefined;
  if (blocks) {
    // One block of each sort, narrow and not repeated.
    const sorts = new Map(
      blocks.map((block) => [JSON.stringify({ ...block, kernel: 0, filters: 0, dropout: 0 }), block]),
    );
    const kept = blocks.filter((block, i) => i === 0 || [...sorts.values()].includes(block));
    encoder['jasper'] = kept.map((block) => ({
      ...block,
      filters: 16,
      repeat: Math.min(2, block['repeat'] as number),
      kernel: [5],
    }));
  } else {
    const attending = {
      d_model: 16,
      n_heads: 2,
      n_layers: 2,
      conv_kernel_size: 5,
      subsampling_conv_channels: 8,
    };
    for (const [key, value] of Object.entries({ ...attending, proj_size: 12 }))
      if (key in encoder) encoder[key] = value;
    if ('time_reduce_idx' in encoder) encoder['time_reduce_idx'] = 0;
  }
  const width = blocks ? 16 : null;
  const decoder = { ...(model['decoder'] as Tree) };
  if ('feat_in' in decoder) decoder['feat_in'] = width;
  if ('num_classes' in decoder) decoder['num_classes'] = -1;
  if (decoder['prednet']) {
    const cells = 'rnn_hidden_size' in (decoder['prednet'] as Tree) ? { rnn_hidden_size: 20 } : {};
    decoder['prednet'] = { ...(decoder['prednet'] as Tree), pred_hidden: 16, ...cells };
  }
  const joint = model['joint'] as Tree | undefined;
  const small = joint && { ...joint, jointnet: { ...(joint['jointnet'] as Tree), joint_hidden: 16 } };
  if (model['transf_decoder']) {
    const sizes = { hidden_size: 16, inner_size: 16, num_attention_heads: 2, num_layers: 1 };
    const own = model['transf_decoder'] as Tree;
    const attention = { ...own, config_dict: { ...(own['config_dict'] as Tree), ...sizes } };
    const head = { ...(model['head'] as Tree), hidden_size: 16 };
    return configFromObject({ ...plain, model: { ...model, encoder, transf_decoder: attention, head } });
  }
  return configFromObject({
    ...plain,
    model: { ...model, encoder, decoder, ...(small && { joint: small }) },
  });
}
