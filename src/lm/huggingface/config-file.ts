// The config.json that transformers would have for a network.
import { AnemoneError } from '../../errors/index.js';
import type { MlpActivation, RotaryOptions } from '../../transformer/index.js';
import type { NetworkOptions } from '../network.js';
import { networkDifference } from '../same-network.js';
import { architectureOf, type HuggingFaceConfig } from './architecture.js';

/** Special tokens, -1 for one that there is not. */
export interface SpecialTokens {
  readonly bosId: number;
  readonly eosId: number;
}

const CLASSES: Readonly<Record<string, string>> = {
  gpt2: 'GPT2LMHeadModel',
  mpt: 'MptForCausalLM',
  llama: 'LlamaForCausalLM',
  mistral: 'MistralForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
  gemma: 'GemmaForCausalLM',
  gemma2: 'Gemma2ForCausalLM',
  gemma3_text: 'Gemma3ForCausalLM',
};

const ACTIVATIONS: Readonly<Partial<Record<MlpActivation, string>>> = {
  gelu: 'gelu',
  gelu_tanh: 'gelu_new',
  relu: 'relu',
  silu: 'silu',
  swiglu: 'silu',
  geglu: 'gelu',
  geglu_tanh: 'gelu_pytorch_tanh',
  reglu: 'relu',
};

/** The class of transformers that loads a model. */
export function classOf({ model_type: family }: HuggingFaceConfig): string | undefined {
  return CLASSES[String(family)];
}

/**
 * A config.json for a network that was made here.
 * @throws AnemoneError `lm.no-family` for a network that no family of transformers has
 */
export function configOf(options: NetworkOptions, { bosId, eosId }: SpecialTokens): HuggingFaceConfig {
  const family = familyOf(options);
  const written = Object.fromEntries(
    Object.entries({
      ...keysOf(options, family),
      vocab_size: options.vocabulary,
      initializer_range: options.initStd,
      tie_word_embeddings: options.tiesHead,
      bos_token_id: bosId >= 0 ? bosId : null,
      eos_token_id: eosId >= 0 ? eosId : null,
    }).filter(([, value]) => value !== undefined),
  );
  const config = { architectures: [CLASSES[family]], model_type: family, ...written };
  checkRead(options, config);
  return config;
}

function familyOf({ norm, learnsPositions, normsOutputs, normsQueries, ...options }: NetworkOptions): string {
  if (learnsPositions) return 'gpt2';
  if (options.alibi) return 'mpt';
  if (norm === 'rmsnorm1p') return normsQueries ? 'gemma3_text' : normsOutputs ? 'gemma2' : 'gemma';
  if (normsQueries) return 'qwen3';
  const { bias, queryBias = bias, projectionBias = bias } = options;
  if (queryBias && !projectionBias) return 'qwen2';
  return options.windows?.every((window) => window !== undefined) ? 'mistral' : 'llama';
}

function keysOf(options: NetworkOptions, family: string): HuggingFaceConfig {
  if (family === 'gpt2') return gpt2Keys(options);
  return family === 'mpt' ? mptKeys(options) : llamaKeys(options, family);
}

function mptKeys(options: NetworkOptions): HuggingFaceConfig {
  return {
    d_model: options.width,
    n_heads: options.heads,
    n_layers: options.layers,
    expansion_ratio: options.inner / options.width,
    max_seq_len: options.positions,
    layer_norm_epsilon: options.epsilon,
    no_bias: true,
    attn_config: { alibi: true, ...(options.scale === undefined ? {} : { softmax_scale: options.scale }) },
  };
}

function gpt2Keys(options: NetworkOptions): HuggingFaceConfig {
  return {
    n_embd: options.width,
    n_head: options.heads,
    n_layer: options.layers,
    n_inner: options.inner,
    n_positions: options.positions,
    n_ctx: options.positions,
    activation_function: ACTIVATIONS[options.activation],
    layer_norm_epsilon: options.epsilon,
  };
}

function llamaKeys(options: NetworkOptions, family: string): HuggingFaceConfig {
  const { rotary, localRotary, windows, scale } = options;
  const activation = ACTIVATIONS[options.activation];
  const isGemma = family.startsWith('gemma');
  const window = windows?.find((size) => size !== undefined);
  return {
    hidden_size: options.width,
    intermediate_size: options.inner,
    num_hidden_layers: options.layers,
    num_attention_heads: options.heads,
    num_key_value_heads: options.groups,
    head_dim: options.headSize,
    hidden_act: activation,
    hidden_activation: isGemma ? activation : undefined,
    rms_norm_eps: options.epsilon,
    max_position_embeddings: options.positions,
    attention_bias: options.queryBias ?? options.bias,
    mlp_bias: family === 'llama' ? options.bias : undefined,
    rope_theta: rotary?.base ?? 10000,
    partial_rotary_factor: rotary?.percentage === 1 ? undefined : rotary?.percentage,
    rope_scaling: scalingOf(rotary, options.positions),
    rope_local_base_freq: localRotary?.base,
    sliding_window: window,
    use_sliding_window: family.startsWith('qwen') ? window !== undefined : undefined,
    layer_types: windows && family !== 'mistral' ? windows.map((size) => (size === undefined ? 'full_attention' : 'sliding_attention')) : undefined, // biome-ignore format: one line
    query_pre_attn_scalar: scale === undefined ? undefined : Math.round(scale ** -2),
    attn_logit_softcapping: options.softcap,
    final_logit_softcapping: options.logitSoftcap,
  };
}

function scalingOf(rotary: RotaryOptions | undefined, positions: number): HuggingFaceConfig | undefined {
  const { scaling } = rotary ?? {};
  if (!scaling) return undefined;
  if (scaling.kind === 'linear') return { rope_type: 'linear', factor: scaling.factor };
  if (scaling.kind === 'yarn')
    return {
      rope_type: 'yarn',
      factor: scaling.factor,
      original_max_position_embeddings: scaling.originalPositions,
      beta_fast: scaling.betaFast,
      beta_slow: scaling.betaSlow,
      attention_factor: scaling.attentionFactor,
    };
  if (scaling.kind === 'longrope')
    return {
      rope_type: 'longrope',
      short_factor: scaling.factors,
      long_factor: scaling.factors,
      factor: 1,
      attention_factor: scaling.attentionFactor ?? 1,
      original_max_position_embeddings: positions,
    };
  return {
    rope_type: 'llama3',
    factor: scaling.factor,
    low_freq_factor: scaling.lowFrequencyFactor,
    high_freq_factor: scaling.highFrequencyFactor,
    original_max_position_embeddings: scaling.originalPositions,
  };
}

/** @throws AnemoneError `lm.no-family` where the family's model would be another */
function checkRead(options: NetworkOptions, config: HuggingFaceConfig): void {
  let read: NetworkOptions;
  try {
    read = architectureOf(config);
  } catch (cause) {
    throw noFamily(config, (cause as Error).message);
  }
  const different = networkDifference(options, read, ['rows']);
  if (!different) return;
  const { key, ours, theirs } = different;
  throw noFamily(config, `${key} is ${ours ?? 'not set'}, there ${theirs ?? 'not set'}`);
}

function noFamily({ model_type: family }: HuggingFaceConfig, reason: string): AnemoneError {
  return new AnemoneError({
    code: 'lm.no-family',
    message: `no family of transformers has such a network; the nearest is ${String(family)}: ${reason}`,
  });
}
