// What a config.json of Hugging Face's transformers says of a causal language model: families are values of one network's
// options, and differ in nothing else.
import { AnemoneError } from '../../errors/index.js';
import type { MlpActivation, RotaryScaling } from '../../transformer/index.js';
import type { NetworkOptions } from '../network.js';

/** A config.json, read but not checked. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/** Names of activations in transformers, of maps that are gated and of those that are not. */
const GATED: Readonly<Record<string, MlpActivation>> = {
  silu: 'swiglu',
  gelu: 'geglu',
  gelu_pytorch_tanh: 'geglu_tanh',
  relu: 'reglu',
};
const PLAIN: Readonly<Record<string, MlpActivation>> = {
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
  silu: 'silu',
};

/** Families whose layers are Llama's, and what else each has. */
const LLAMA_LIKE = ['llama', 'mistral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3_text'] as const;
type LlamaLike = (typeof LLAMA_LIKE)[number];

/**
 * The network that a Hugging Face `config.json` describes.
 * @throws AnemoneError `lm.huggingface` for a family or a setting that is not supported
 */
export function architectureOf(config: HuggingFaceConfig, file = 'config.json'): NetworkOptions {
  const read = new ConfigReader(config, file);
  const family = read.text('model_type');
  if (family === 'gpt2') return gpt2(read);
  if (family === 'mpt') return mpt(read);
  if ((LLAMA_LIKE as readonly string[]).includes(family)) return llamaLike(read, family as LlamaLike);
  throw read.wrong(
    'model_type',
    `models of type "${family}" are not supported`,
    `known are gpt2, mpt, ${LLAMA_LIKE.join(', ')}`,
  );
}

function gpt2(read: ConfigReader): NetworkOptions {
  const [width, heads] = [read.count('n_embd'), read.count('n_head')];
  const positions = read.count('n_positions');
  if (read.flag('scale_attn_by_inverse_layer_idx', false))
    throw read.wrong(
      'scale_attn_by_inverse_layer_idx',
      'scores that are divided by the layer are not supported',
    );
  return {
    layers: read.count('n_layer'),
    width,
    inner: read.count('n_inner', 4 * width),
    heads,
    groups: heads,
    headSize: width / heads,
    activation: read.oneOf('activation_function', PLAIN, 'gelu_new'),
    norm: 'layernorm',
    epsilon: read.number('layer_norm_epsilon', 1e-5),
    bias: true,
    positions,
    initStd: read.number('initializer_range', 0.02),
    scalesInit: true,
    vocabulary: read.count('vocab_size'),
    learnsPositions: true,
    tiesHead: read.flag('tie_word_embeddings', true),
  };
}

function mpt(read: ConfigReader): NetworkOptions {
  const [width, heads] = [read.count('d_model'), read.count('n_heads')];
  const attention = read.section('attn_config');
  const refused = (key: string, isSet: boolean): void => {
    if (isSet) throw read.wrong(`attn_config.${key}`, 'models with this setting are not supported');
  };
  refused('alibi', !(attention?.flag('alibi', true) ?? true));
  refused('alibi_bias_max', (attention?.number('alibi_bias_max', 8) ?? 8) !== 8);
  refused('clip_qkv', attention?.optional('clip_qkv') !== undefined);
  refused('qk_ln', attention?.flag('qk_ln', false) ?? false);
  if (!Number.isInteger(Math.log2(heads)))
    throw read.wrong(
      'n_heads',
      `the slopes of ${heads} heads are others here`,
      'a power of two has the same',
    );
  return {
    layers: read.count('n_layers'),
    width,
    inner: read.count('expansion_ratio', 4) * width,
    heads,
    groups: heads,
    headSize: width / heads,
    activation: 'gelu',
    norm: 'layernorm_unbiased',
    epsilon: read.number('layer_norm_epsilon', 1e-5),
    bias: false,
    alibi: true,
    positions: read.count('max_seq_len'),
    scale: attention?.optional('softmax_scale'),
    initStd: read.number('initializer_range', 0.02),
    scalesInit: true,
    vocabulary: read.count('vocab_size'),
    learnsPositions: false,
    tiesHead: read.flag('tie_word_embeddings', true),
  };
}

function llamaLike(read: ConfigReader, family: LlamaLike): NetworkOptions {
  const isGemma = family.startsWith('gemma');
  const [width, heads, layers] = [read.count('hidden_size'), read.count('num_attention_heads'), read.count('num_hidden_layers')]; // biome-ignore format: one line
  const headSize = read.count('head_dim', width / heads);
  const bias = read.flag('attention_bias', family === 'qwen2');
  const scalar = read.optional('query_pre_attn_scalar');
  return {
    layers,
    width,
    inner: read.count('intermediate_size'),
    heads,
    groups: read.count('num_key_value_heads', heads),
    headSize,
    activation: read.oneOf(isGemma && read.has('hidden_activation') ? 'hidden_activation' : 'hidden_act', GATED, 'silu'), // biome-ignore format: one line
    norm: isGemma ? 'rmsnorm1p' : 'rmsnorm',
    normsOutputs: family === 'gemma2' || family === 'gemma3_text',
    normsQueries: family === 'qwen3' || family === 'gemma3_text',
    epsilon: read.number('rms_norm_eps', 1e-6),
    bias: read.flag('mlp_bias', false),
    queryBias: bias,
    projectionBias: bias && family !== 'qwen2',
    rotary: {
      size: headSize,
      percentage: read.number('partial_rotary_factor', 1),
      base: read.number('rope_theta', 10000),
      scaling: scalingOf(read),
    },
    localRotary: family === 'gemma3_text' ? { size: headSize, base: read.number('rope_local_base_freq', 10000) } : undefined, // biome-ignore format: one line
    positions: read.count('max_position_embeddings'),
    windows: windowsOf(read, family, layers),
    scale: scalar === undefined ? undefined : 1 / Math.sqrt(scalar),
    softcap: read.optional('attn_logit_softcapping'),
    logitSoftcap: read.optional('final_logit_softcapping'),
    initStd: read.number('initializer_range', 0.02),
    scalesInit: false,
    vocabulary: read.count('vocab_size'),
    learnsPositions: false,
    tiesHead: read.flag('tie_word_embeddings', isGemma),
    embeddingScale: isGemma ? Math.sqrt(width) : undefined,
  };
}

function scalingOf(read: ConfigReader): RotaryScaling | undefined {
  const scaling = read.section('rope_scaling');
  if (!scaling) return undefined;
  const kind = scaling.text('rope_type', scaling.text('type', 'default'));
  if (kind === 'default') return undefined;
  if (kind === 'linear') return { kind, factor: scaling.number('factor', 1) };
  if (kind === 'yarn')
    return {
      kind,
      factor: scaling.number('factor', 1),
      originalPositions: scaling.number(
        'original_max_position_embeddings',
        read.count('max_position_embeddings'),
      ),
      betaFast: scaling.optional('beta_fast'),
      betaSlow: scaling.optional('beta_slow'),
      attentionFactor: scaling.optional('attention_factor'),
    };
  if (kind === 'longrope') return factorsOf(read, scaling);
  if (kind !== 'llama3') throw read.wrong('rope_scaling', `scaling of type "${kind}" is not supported`, 'linear, llama3, yarn and longrope are'); // biome-ignore format: one line
  return {
    kind,
    factor: scaling.number('factor', 8),
    lowFrequencyFactor: scaling.number('low_freq_factor', 1),
    highFrequencyFactor: scaling.number('high_freq_factor', 4),
    originalPositions: scaling.number('original_max_position_embeddings', 8192),
  };
}

/** A factor for each frequency; transformers takes another list for long texts, which must here be the same one. */
function factorsOf(read: ConfigReader, scaling: ConfigReader): RotaryScaling {
  const lists = ['short_factor', 'long_factor'].map((key) => scaling.list(key) ?? []);
  const [factors, others] = lists;
  const headSize = read.count('head_dim', read.count('hidden_size') / read.count('num_attention_heads'));
  const count = Math.floor(headSize * read.number('partial_rotary_factor', 1)) / 2;
  if (factors.length !== count || !factors.every((each) => typeof each === 'number' && each > 0))
    throw scaling.wrong('short_factor', `expected ${count} numbers above 0`);
  if (factors.some((each, i) => each !== others[i]) || others.length !== count)
    throw scaling.wrong('long_factor', 'factors for long texts that differ from those for short ones are not supported'); // biome-ignore format: one line
  const positions = read.count('max_position_embeddings');
  const original = read.count('original_max_position_embeddings', scaling.count('original_max_position_embeddings', positions)); // biome-ignore format: one line
  const stretch = read.has('original_max_position_embeddings') ? positions / original : scaling.number('factor', positions / original); // biome-ignore format: one line
  const usual = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original));
  return { kind: 'longrope', factors: factors as number[], attentionFactor: scaling.number('attention_factor', usual) }; // biome-ignore format: one line
}

/** Layers of Gemma take turns; Qwen has a key that switches its window on. */
function windowsOf(
  read: ConfigReader,
  family: LlamaLike,
  layers: number,
): (number | undefined)[] | undefined {
  const window = read.optional('sliding_window');
  if (window === undefined || family === 'llama' || family === 'gemma') return undefined;
  if (family.startsWith('qwen') && !read.flag('use_sliding_window', false)) return undefined;
  const types = read.list('layer_types');
  const pattern = read.count('sliding_window_pattern', family === 'gemma2' ? 2 : 6);
  return Array.from({ length: layers }, (_, i) => {
    if (types) return types[i] === 'sliding_attention' ? window : undefined;
    if (family === 'mistral') return window;
    if (family.startsWith('qwen')) return i >= read.count('max_window_layers', layers) ? window : undefined;
    return (i + 1) % pattern === 0 ? undefined : window;
  });
}

/** Values of a config.json by key, each checked when it is asked for. */
class ConfigReader {
  constructor(
    private readonly config: HuggingFaceConfig,
    private readonly file: string,
    private readonly prefix = '',
  ) {}

  has(key: string): boolean {
    return this.config[key] !== undefined && this.config[key] !== null;
  }

  text(key: string, standard?: string): string {
    if (!this.has(key) && standard !== undefined) return standard;
    const value = this.config[key];
    if (typeof value === 'string') return value;
    throw this.wrong(key, 'expected a text');
  }

  flag(key: string, standard: boolean): boolean {
    const value = this.has(key) ? this.config[key] : standard;
    if (typeof value === 'boolean') return value;
    throw this.wrong(key, 'expected true or false');
  }

  number(key: string, standard: number): number {
    return this.optional(key) ?? standard;
  }

  optional(key: string): number | undefined {
    if (!this.has(key)) return undefined;
    const value = this.config[key];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.wrong(key, 'expected a number');
  }

  count(key: string, standard?: number): number {
    const value = this.has(key) ? this.config[key] : standard;
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
    throw this.wrong(key, 'expected a whole number above 0');
  }

  list(key: string): readonly unknown[] | undefined {
    if (!this.has(key)) return undefined;
    const value = this.config[key];
    if (Array.isArray(value)) return value;
    throw this.wrong(key, 'expected a list');
  }

  section(key: string): ConfigReader | undefined {
    if (!this.has(key)) return undefined;
    const value = this.config[key];
    if (typeof value !== 'object' || Array.isArray(value)) throw this.wrong(key, 'expected a mapping');
    return new ConfigReader(value as HuggingFaceConfig, this.file, `${this.prefix}${key}.`);
  }

  oneOf<T>(key: string, table: Readonly<Record<string, T>>, standard: string): T {
    const name = this.text(key, standard);
    const value = Object.hasOwn(table, name) ? table[name] : undefined;
    if (value !== undefined) return value;
    throw this.wrong(key, `"${name}" is not supported`, `one of ${Object.keys(table).join(', ')}`);
  }

  wrong(key: string, message: string, hint?: string): AnemoneError {
    return new AnemoneError({
      code: 'lm.huggingface',
      path: `${this.prefix}${key}`,
      position: { file: this.file },
      message,
      hint,
    });
  }
}
