// Keys of a `model` section beyond those of NeMo 1.23's Megatron GPT, by which the families of today are configs of it: names are
// those of NeMo 2 and Megatron core where they have any.
import type { FieldDefinitions } from '../config/index.js';
import type { RotaryOptions } from '../transformer/index.js';
import type { NetworkOptions } from './network.js';

const optional = { nullable: true, default: null } as const;
const flag = { format: 'boolean', default: false } as const;
const positive = { format: 'number', above: 0, ...optional } as const;

export const familyFields = {
  add_qkv_bias: { doc: 'Queries, keys and values have biases where bias: false leaves out the others (Qwen 2).', ...flag },
  qk_layernorm: { doc: 'Queries and keys are normalised by head (Qwen 3, Gemma 3).', ...flag },
  post_block_norms: { doc: 'What blocks give is normalised too, before the residual (Gemma 2 and 3).', ...flag },
  scale_positional_embedding: { doc: 'Rotary positions are stretched as Llama 3.1’s, for contexts beyond 8192.', ...flag },
  scale_factor: { doc: 'By so much.', format: 'number', above: 0, default: 8 },
  window_pattern: { doc: 'Of so many layers the last sees all positions, whatever window_size says (Gemma 2: 2, Gemma 3: 6).', format: 'int', min: 1, ...optional },
  local_rotary_base: { doc: 'Base of the rotary frequencies in layers with a window. Default: rotary_base.', ...positive },
  query_pre_attn_scalar: { doc: 'Scores are divided by its root. Default: the size of a head.', ...positive },
  attn_logit_softcapping: { doc: 'Scores are bent below it: c · tanh(score / c).', ...positive },
  final_logit_softcapping: { doc: 'Logits are bent below it.', ...positive },
  scale_embeddings: { doc: 'Embeddings are multiplied by √hidden_size (Gemma).', ...flag },
} as const satisfies FieldDefinitions; // biome-ignore format: a table

/** The values of these keys, and of those that they change. */
interface FamilyConfig {
  readonly add_qkv_bias: boolean;
  readonly qk_layernorm: boolean;
  readonly post_block_norms: boolean;
  readonly scale_positional_embedding: boolean;
  readonly scale_factor: number;
  readonly window_pattern: number | null;
  readonly local_rotary_base: number | null;
  readonly query_pre_attn_scalar: number | null;
  readonly attn_logit_softcapping: number | null;
  readonly final_logit_softcapping: number | null;
  readonly scale_embeddings: boolean;
  readonly hidden_size: number;
  readonly bias: boolean;
}

const ORIGINAL_POSITIONS = 8192;

/** @param plain what NeMo's own keys say */
export function withFamily(plain: NetworkOptions, config: FamilyConfig): NetworkOptions {
  const { rotary } = plain;
  const { window_pattern: pattern, local_rotary_base: localBase, query_pre_attn_scalar: scalar } = config;
  return {
    ...plain,
    ...(config.add_qkv_bias && !config.bias ? { queryBias: true, projectionBias: false } : {}),
    ...(config.qk_layernorm ? { normsQueries: true } : {}),
    ...(config.post_block_norms ? { normsOutputs: true } : {}),
    rotary: rotary && config.scale_positional_embedding ? stretched(rotary, config.scale_factor) : rotary,
    ...(rotary && localBase !== null ? { localRotary: { size: rotary.size, base: localBase } } : {}),
    windows: pattern === null ? plain.windows : plain.windows?.map((size, i) => ((i + 1) % pattern === 0 ? undefined : size)), // biome-ignore format: one line
    ...(scalar === null ? {} : { scale: 1 / Math.sqrt(scalar) }),
    ...(config.attn_logit_softcapping === null ? {} : { softcap: config.attn_logit_softcapping }),
    ...(config.final_logit_softcapping === null ? {} : { logitSoftcap: config.final_logit_softcapping }),
    ...(config.scale_embeddings ? { embeddingScale: Math.sqrt(config.hidden_size) } : {}),
  };
}

function stretched(rotary: RotaryOptions, factor: number): RotaryOptions {
  const kind = 'llama3';
  return {
    ...rotary,
    scaling: {
      kind,
      factor,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalPositions: ORIGINAL_POSITIONS,
    },
  };
}
