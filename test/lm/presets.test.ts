// The presets of conf/lm: parameter counts are the published ones, and networks those of the families' config.json. Shapes alone:
// no weight is made.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.js';
import { gptArchitecture } from '../../src/lm/gpt-architecture.js';
import { architectureOf, gptModelSchema, LanguageNetwork, type NetworkOptions } from '../../src/lm/index.js';

const folder = new URL('../../conf/lm/', import.meta.url);

/** Tokens, and parameters as their makers count them. */
const PUBLISHED: Readonly<Record<string, readonly [number, number]>> = {
  gpt_1m: [259, 1_057_536],
  gpt_10m: [259, 10_111_040],
  gpt2_124m: [50257, 124_439_808],
  gpt2_medium_355m: [50257, 354_823_168],
  gpt2_large_774m: [50257, 774_030_080],
  gpt2_xl_1558m: [50257, 1_557_611_200],
  gpt3_175b: [50257, 174_604_259_328],
  llama2_7b: [32000, 6_738_415_616],
  llama2_13b: [32000, 13_015_864_320],
  llama2_70b: [32000, 68_976_648_192],
  llama3_8b: [128256, 8_030_261_248],
  llama3_70b: [128256, 70_553_706_496],
  llama3_1_8b: [128256, 8_030_261_248],
  llama3_2_1b: [128256, 1_235_814_400],
  llama3_2_3b: [128256, 3_212_749_824],
  qwen2_5_0_5b: [151936, 494_032_768],
  qwen2_5_7b: [152064, 7_615_616_512],
  qwen3_0_6b: [151936, 596_049_920],
  mistral_7b: [32000, 7_241_732_096],
  gemma2_2b: [256000, 2_614_341_888],
  gemma3_1b: [262144, 999_885_952],
  smollm2_135m: [49152, 134_515_008],
  smollm2_360m: [49152, 361_821_120],
  smollm2_1_7b: [49152, 1_711_376_384],
};

/** What the models' own config.json say. */
const CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  gpt2_124m: { model_type: 'gpt2', n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024, activation_function: 'gelu_new', vocab_size: 50257 },
  llama2_70b: { model_type: 'llama', hidden_size: 8192, intermediate_size: 28672, num_hidden_layers: 80, num_attention_heads: 64, num_key_value_heads: 8, max_position_embeddings: 4096, rms_norm_eps: 1e-5, hidden_act: 'silu', vocab_size: 32000 },
  llama3_2_1b: { model_type: 'llama', hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 64, max_position_embeddings: 131072, rms_norm_eps: 1e-5, rope_theta: 500000, tie_word_embeddings: true, vocab_size: 128256, rope_scaling: { rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 } },
  qwen2_5_0_5b: { model_type: 'qwen2', hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24, num_attention_heads: 14, num_key_value_heads: 2, max_position_embeddings: 32768, rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: true, use_sliding_window: false, sliding_window: 32768, vocab_size: 151936 },
  qwen3_0_6b: { model_type: 'qwen3', hidden_size: 1024, intermediate_size: 3072, num_hidden_layers: 28, num_attention_heads: 16, num_key_value_heads: 8, head_dim: 128, max_position_embeddings: 40960, rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: true, attention_bias: false, vocab_size: 151936 },
  mistral_7b: { model_type: 'mistral', hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 8, max_position_embeddings: 32768, rms_norm_eps: 1e-5, rope_theta: 10000, sliding_window: 4096, vocab_size: 32000 },
  gemma2_2b: { model_type: 'gemma2', hidden_size: 2304, intermediate_size: 9216, num_hidden_layers: 26, num_attention_heads: 8, num_key_value_heads: 4, head_dim: 256, max_position_embeddings: 8192, rms_norm_eps: 1e-6, rope_theta: 10000, sliding_window: 4096, query_pre_attn_scalar: 256, attn_logit_softcapping: 50, final_logit_softcapping: 30, hidden_activation: 'gelu_pytorch_tanh', vocab_size: 256000 },
  gemma3_1b: { model_type: 'gemma3_text', hidden_size: 1152, intermediate_size: 6912, num_hidden_layers: 26, num_attention_heads: 4, num_key_value_heads: 1, head_dim: 256, max_position_embeddings: 32768, rms_norm_eps: 1e-6, rope_theta: 1e6, rope_local_base_freq: 10000, sliding_window: 512, sliding_window_pattern: 6, query_pre_attn_scalar: 256, hidden_activation: 'gelu_pytorch_tanh', vocab_size: 262144 },
  smollm2_135m: { model_type: 'llama', hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30, num_attention_heads: 9, num_key_value_heads: 3, max_position_embeddings: 8192, rms_norm_eps: 1e-5, rope_theta: 100000, tie_word_embeddings: true, vocab_size: 49152 },
}; // biome-ignore format: a table

/** The network of a preset; what the user has to name does not matter to it. */
function preset(name: string, vocabulary: number): NetworkOptions {
  const path = fileURLToPath(new URL(`${name}.yaml`, folder));
  const { model } = loadConfig(path, ['model.data.data_prefix=text', '++model.tokenizer.type=folder']);
  return gptArchitecture(gptModelSchema.parse(model as never, { path: 'model' }), vocabulary);
}

describe('the presets', () => {
  it('are all known here', () => {
    const names = readdirSync(folder).map((name) => name.replace('.yaml', ''));
    const others = ['megatron_gpt_config'];
    expect(Object.keys(PUBLISHED).filter((name) => !names.includes(name))).toEqual([]);
    expect(names.filter((name) => /^(gpt|llama|qwen|mistral|gemma|smollm)/.test(name) && !others.includes(name)).sort()).toEqual(Object.keys(PUBLISHED).sort()); // biome-ignore format: one line
  });

  it.each(Object.entries(PUBLISHED))(
    'have as many parameters as published: %s',
    (name, [vocabulary, count]) => {
      const network = new LanguageNetwork(preset(name, vocabulary), 'core');
      expect(network.parameterCount()).toBe(count);
      const said = /: ([\d,]+) parameters/.exec(readFileSync(new URL(`${name}.yaml`, folder), 'utf8'))?.[1];
      expect(Number(said?.replaceAll(',', ''))).toBe(count);
    },
  );

  it.each(Object.entries(CONFIGS))('are the networks of the published config.json: %s', (name, config) => {
    const plain = (options: NetworkOptions) => {
      const { initStd: _, scalesInit: __, hiddenDropout: ___, attentionDropout: ____, innerDropout: _____, rows: ______, ...kept } = options; // biome-ignore format: one line
      const { bias } = kept;
      const full = { order: 'pre_ln', normsOutputs: false, normsQueries: false, queryBias: bias, projectionBias: bias, ...JSON.parse(JSON.stringify(kept)) }; // biome-ignore format: one line
      for (const key of ['rotary', 'localRotary'])
        if (full[key]) full[key] = { base: 10000, percentage: 1, ...full[key] };
      return full;
    };
    const theirs = architectureOf(config);
    expect(plain(preset(name, theirs.vocabulary))).toEqual(plain(theirs));
  });
});
