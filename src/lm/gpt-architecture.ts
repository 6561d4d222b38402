// What NeMo's keys of a Megatron GPT say of its network.
import type { MlpActivation, NormKind, RotaryScaling } from '../transformer/index.js';
import { withFamily } from './family-keys.js';
import type { GptModelConfig } from './gpt-schema.js';
import type { NetworkOptions } from './network.js';

const ACTIVATIONS: Readonly<Record<string, MlpActivation>> = {
  relu: 'relu',
  'squared-relu': 'squared_relu',
  silu: 'silu',
  'approx-gelu': 'quick_gelu',
  'openai-gelu': 'gelu_tanh',
  reglu: 'reglu',
  swiglu: 'swiglu',
};

/** @param vocabulary tokens of the tokenizer */
export function gptArchitecture(config: GptModelConfig, vocabulary: number): NetworkOptions {
  const { hidden_size: width, num_attention_heads: heads, encoder_seq_length: length } = config;
  const { make_vocab_size_divisible_by: multiple } = config;
  const headSize = config.kv_channels ?? width / heads;
  const isRotary = config.position_embedding_type === 'rope';
  const window = config.window_size?.[0];
  const plain: NetworkOptions = {
    layers: config.num_layers,
    width,
    inner: config.ffn_hidden_size ?? 4 * width,
    heads,
    groups: config.num_query_groups ?? heads,
    headSize,
    activation: activationOf(config),
    norm: normOf(config),
    epsilon: config.layernorm_epsilon,
    order: config.transformer_block_type,
    ...(config.headscale ? { scalesHeads: true } : {}),
    ...(config.position_embedding_type === 'alibi' ? { alibi: true } : {}),
    bias: config.bias,
    rotary: isRotary
      ? {
          size: headSize,
          percentage: config.rotary_percentage,
          base: config.rotary_base,
          scaling: scalingOf(config),
        }
      : undefined,
    positions: config.max_position_embeddings ?? length,
    // Megatron counts the positions before a query's own.
    windows: window === undefined ? undefined : Array.from({ length: config.num_layers }, () => window + 1),
    hiddenDropout: config.hidden_dropout,
    attentionDropout: config.attention_dropout,
    innerDropout: config.ffn_dropout,
    initStd: config.init_method_std,
    scalesInit: config.use_scaled_init_method,
    vocabulary,
    rows: Math.ceil(vocabulary / multiple) * multiple,
    learnsPositions: config.position_embedding_type === 'learned_absolute',
    tiesHead: config.share_embeddings_and_output_weights,
  };
  return withFamily(plain, config);
}

/** Megatron's interpolation, or what Hugging Face's section says. */
function scalingOf({
  seq_len_interpolation_factor: interpolation,
  rope_scaling: section,
}: GptModelConfig): RotaryScaling | undefined {
  if (section === null) return interpolation === null ? undefined : { kind: 'linear', factor: interpolation };
  const { rope_type: kind, factor, original_max_position_embeddings: originalPositions } = section;
  if (kind === 'linear') return { kind, factor };
  const { low_freq_factor: lowFrequencyFactor, high_freq_factor: highFrequencyFactor } = section;
  if (kind === 'llama3') return { kind, factor, originalPositions, lowFrequencyFactor, highFrequencyFactor };
  const { beta_fast: betaFast, beta_slow: betaSlow, attention_factor } = section;
  return { kind, factor, originalPositions, betaFast, betaSlow, attentionFactor: attention_factor ?? undefined }; // biome-ignore format: one line
}

/** NeMo's low precision layer norms have no biases where nothing has (MPT). */
function normOf({ normalization, bias }: GptModelConfig): NormKind {
  if (normalization !== 'low_precision_layernorm') return normalization;
  return bias ? 'layernorm' : 'layernorm_unbiased';
}

/** NeMo's fused gelu is the form with a tanh; so is OpenAI's. */
function activationOf({
  activation,
  bias_activation_fusion: fuses,
  openai_gelu: openai,
  bias,
}: GptModelConfig): MlpActivation {
  const name = activation.replace('fast-', '');
  const isTanh = openai || (fuses && bias);
  if (name === 'gelu') return isTanh ? 'gelu_tanh' : 'gelu';
  if (name === 'geglu') return isTanh ? 'geglu_tanh' : 'geglu';
  return ACTIVATIONS[name];
}
