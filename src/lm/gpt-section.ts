// The `model` section of NeMo's Megatron GPT for a network that came from elsewhere: the other way round of gpt-architecture.ts.
import { configFromValues } from '../config/index.js';
import { AnemoneError } from '../errors/index.js';
import type { MlpActivation, RotaryOptions } from '../transformer/index.js';
import { gptArchitecture } from './gpt-architecture.js';
import { gptModelSchema } from './gpt-schema.js';
import type { NamingScheme, NetworkOptions } from './network.js';
import { networkDifference } from './same-network.js';

type Section = Readonly<Record<string, unknown>>;

const ACTIVATIONS: Readonly<Record<MlpActivation, Section>> = {
  gelu: { activation: 'gelu', bias_activation_fusion: false },
  gelu_tanh: { activation: 'gelu', openai_gelu: true },
  relu: { activation: 'relu' },
  squared_relu: { activation: 'squared-relu' },
  quick_gelu: { activation: 'approx-gelu' },
  silu: { activation: 'silu' },
  geglu: { activation: 'geglu', bias_activation_fusion: false },
  geglu_tanh: { activation: 'geglu', openai_gelu: true },
  reglu: { activation: 'reglu' },
  swiglu: { activation: 'swiglu' },
};

/**
 * The section of a network, without its tokenizer and data.
 * @param words tokens of the tokenizer, at most as many as the network has
 * @throws AnemoneError `lm.no-nemo` for a network that NeMo's keys do not describe
 */
export function gptSection(options: NetworkOptions, naming: NamingScheme, words: number): Section {
  const section = definedOf({
    mcore_gpt: naming === 'core',
    micro_batch_size: 1,
    global_batch_size: 1,
    encoder_seq_length: options.positions,
    max_position_embeddings: options.positions,
    num_layers: options.layers,
    hidden_size: options.width,
    ffn_hidden_size: options.inner,
    num_attention_heads: options.heads,
    num_query_groups: options.groups,
    kv_channels: options.headSize,
    init_method_std: options.initStd,
    use_scaled_init_method: options.scalesInit,
    hidden_dropout: 0,
    attention_dropout: 0,
    ffn_dropout: 0,
    normalization: options.norm,
    layernorm_epsilon: options.epsilon,
    transformer_block_type: options.order ?? 'pre_ln',
    bias: options.bias,
    ...ACTIVATIONS[options.activation],
    share_embeddings_and_output_weights: options.tiesHead,
    make_vocab_size_divisible_by: multipleOf(options, words),
    ...positionKeys(options),
    ...familyKeys(options),
  });
  checkRead(options, section, words);
  return section;
}

/** Rows of the table beyond the tokenizer's words are padding, as Megatron's are: a multiple that makes as many as there are. */
function multipleOf({ vocabulary, rows = vocabulary }: NetworkOptions, words: number): number {
  const usual = [128, 64, 1].find((multiple) => Math.ceil(words / multiple) * multiple === rows);
  return usual ?? rows;
}

function positionKeys({ learnsPositions, rotary, localRotary, windows }: NetworkOptions): Section {
  const size = windows?.find((window) => window !== undefined);
  const full = windows?.indexOf(undefined) ?? -1;
  return {
    position_embedding_type: learnsPositions ? 'learned_absolute' : rotary ? 'rope' : 'none',
    ...(rotary && { rotary_base: rotary.base, rotary_percentage: rotary.percentage, ...scalingKeys(rotary) }),
    local_rotary_base: localRotary?.base,
    // Megatron counts the positions before a query's own.
    window_size: size === undefined ? undefined : [size - 1, 0],
    window_pattern: full < 0 ? undefined : full + 1,
  };
}

function scalingKeys({ scaling }: RotaryOptions): Section {
  if (!scaling || scaling.kind === 'longrope') return {};
  if (scaling.kind === 'linear') return { seq_len_interpolation_factor: scaling.factor };
  const { kind, factor, originalPositions } = scaling;
  const shared = { rope_type: kind, factor, original_max_position_embeddings: originalPositions };
  if (kind === 'llama3') {
    const { lowFrequencyFactor: low_freq_factor, highFrequencyFactor: high_freq_factor } = scaling;
    return { rope_scaling: { ...shared, low_freq_factor, high_freq_factor } };
  }
  const { betaFast: beta_fast, betaSlow: beta_slow, attentionFactor: attention_factor } = scaling;
  return { rope_scaling: definedOf({ ...shared, beta_fast, beta_slow, attention_factor }) };
}

function familyKeys(options: NetworkOptions): Section {
  const { bias, queryBias = bias, projectionBias = bias, scale } = options;
  return {
    add_qkv_bias: queryBias && !projectionBias && !bias,
    qk_layernorm: options.normsQueries ?? false,
    post_block_norms: options.normsOutputs ?? false,
    query_pre_attn_scalar: scale === undefined ? undefined : Number((scale ** -2).toPrecision(12)),
    attn_logit_softcapping: options.softcap,
    final_logit_softcapping: options.logitSoftcap,
    scale_embeddings: options.embeddingScale !== undefined,
  };
}

/** @throws AnemoneError `lm.no-nemo` where the section's model would be another */
function checkRead(options: NetworkOptions, section: Section, words: number): void {
  const { model } = configFromValues({ model: { ...section, tokenizer: { library: 'byte-level' } } });
  const read = gptArchitecture(gptModelSchema.parse(model as Section), words);
  const rows = options.rows ?? options.vocabulary;
  const full = withYarnsDefaults(options);
  const different = networkDifference({ ...full, rows, vocabulary: words }, withYarnsDefaults(read));
  if (!different) return;
  const { key, ours, theirs } = different;
  throw new AnemoneError({
    code: 'lm.no-nemo',
    message: `NeMo's Megatron GPT has no such network: ${key} is ${ours ?? 'not set'}, there ${theirs ?? 'not set'}`,
    hint: 'anemone export --for huggingface writes it',
  });
}

/** The section always says how fast and slow waves are told apart. */
function withYarnsDefaults(options: NetworkOptions): NetworkOptions {
  const { rotary } = options;
  if (rotary?.scaling?.kind !== 'yarn') return options;
  const { betaFast = 32, betaSlow = 1 } = rotary.scaling;
  return { ...options, rotary: { ...rotary, scaling: { ...rotary.scaling, betaFast, betaSlow } } };
}

function definedOf(section: Section): Section {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined));
}
