// What the metadata of a GGUF file says of its network, as the config.json that the model would have.
import { AnemoneError } from '../../errors/index.js';
import type { GgufFile } from '../../formats/index.js';
import { rotaryFrequencies } from '../../transformer/index.js';
import { architectureOf, type HuggingFaceConfig } from '../huggingface/architecture.js';
import type { NetworkOptions } from '../network.js';

/** Families of transformers by llama.cpp's names. */
const FAMILIES: Readonly<Record<string, string>> = {
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  gemma: 'gemma',
  gemma2: 'gemma2',
  gemma3: 'gemma3_text',
};

/** A divisor for each rotary frequency, [size of a head / 2]. */
export const FREQUENCY_FACTORS = 'rope_freqs.weight';

/** What all Llamas from 3.1 on are stretched by, beside the factor. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 } as const;

/** Gemma's largest models divide scores by the root of width / heads; llama.cpp knows them by their layers. */
const LARGEST: Readonly<Record<string, number>> = { gemma2: 46, gemma3: 62 };

/** @throws AnemoneError `gguf.unsupported`, `lm.huggingface` */
export async function ggufArchitecture(file: GgufFile): Promise<NetworkOptions> {
  return architectureOf(await ggufConfig(file), file.name);
}

/** The config.json that the model would have. @throws AnemoneError `gguf.unsupported` */
export async function ggufConfig(file: GgufFile): Promise<HuggingFaceConfig> {
  const family = String(file.metadata.get('general.architecture'));
  if (!Object.hasOwn(FAMILIES, family)) throw unsupported(file, `the architecture "${family}"`, `read are ${Object.keys(FAMILIES).join(', ')}`); // biome-ignore format: one line
  const number = numbersOf(file, family);
  const id = numbersOf(file, 'tokenizer.ggml');
  const config = {
    model_type: FAMILIES[family],
    hidden_act: 'silu',
    hidden_size: number('embedding_length'),
    intermediate_size: number('feed_forward_length'),
    num_hidden_layers: number('block_count'),
    num_attention_heads: number('attention.head_count'),
    num_key_value_heads: number('attention.head_count_kv'),
    head_dim: headSizeOf(file, family),
    max_position_embeddings: number('context_length'),
    rms_norm_eps: number('attention.layer_norm_rms_epsilon'),
    rope_theta: number('rope.freq_base'),
    vocab_size: file.tensors.get('token_embd.weight')?.shape[0],
    tie_word_embeddings: !file.tensors.has('output.weight'),
    bos_token_id: id('bos_token_id'),
    eos_token_id: id('eos_token_id'),
    ...(family.startsWith('gemma') ? gemmaKeys(file, family) : {}),
  };
  const known = definedOf(config);
  return { ...known, ...definedOf({ rope_scaling: await scalingOf(file, family, known) }) };
}

/** What Gemma's models have beside Llama's; what files do not say is what llama.cpp has for them. */
function gemmaKeys(file: GgufFile, family: string): HuggingFaceConfig {
  const number = numbersOf(file, family);
  const activation = 'gelu_pytorch_tanh';
  const shared = { hidden_act: activation, hidden_activation: activation };
  if (family === 'gemma') return shared;
  const isLargest = number('block_count') === LARGEST[family];
  const perHead = Number(number('embedding_length')) / Number(number('attention.head_count'));
  const [softcap, logitSoftcap, window] = family === 'gemma2' ? [50, 30, 4096] : [];
  return {
    ...shared,
    sliding_window: number('attention.sliding_window') ?? window,
    attn_logit_softcapping: number('attn_logit_softcapping') ?? softcap,
    final_logit_softcapping: number('final_logit_softcapping') ?? logitSoftcap,
    query_pre_attn_scalar: isLargest ? perHead : headSizeOf(file, family),
    rope_local_base_freq: number('rope.freq_base_swa'),
  };
}

/** @throws AnemoneError `gguf.unsupported` where only a part of each head is turned */
function headSizeOf(file: GgufFile, family: string): number | undefined {
  const number = numbersOf(file, family);
  const turned = number('rope.dimension_count');
  const size = number('attention.key_length') ?? turned;
  const values = number('attention.value_length');
  if (values !== undefined && values !== size) throw unsupported(file, `a size of values (${values}) that is not that of keys (${size})`); // biome-ignore format: one line
  if (turned !== undefined && turned !== size) throw unsupported(file, `rotation of ${turned} of ${size} numbers of a head`); // biome-ignore format: one line
  return size;
}

/** `rope_scaling` as transformers has it. @throws AnemoneError `gguf.unsupported` */
async function scalingOf(
  file: GgufFile,
  family: string,
  config: HuggingFaceConfig,
): Promise<HuggingFaceConfig | undefined> {
  if (file.tensors.has(FREQUENCY_FACTORS))
    return scalingByFactors(await file.read(FREQUENCY_FACTORS), config);
  const number = numbersOf(file, family);
  const kind = file.metadata.get(`${family}.rope.scaling.type`) ?? 'linear';
  const factor = number('rope.scaling.factor') ?? number('rope.scale_linear') ?? 1;
  if (kind === 'none' || (kind === 'linear' && (factor === 1 || factor === 0))) return undefined;
  if (kind === 'linear') return { rope_type: 'linear', factor };
  if (kind !== 'yarn') throw unsupported(file, `scaling of rotary positions of the kind "${String(kind)}"`, 'linear and yarn are read, and factors'); // biome-ignore format: one line
  const sharper = number('rope.scaling.attn_factor') ?? 1;
  return definedOf({
    rope_type: 'yarn',
    factor,
    original_max_position_embeddings: number('rope.scaling.original_context_length'),
    beta_fast: number('rope.scaling.yarn_beta_fast'),
    beta_slow: number('rope.scaling.yarn_beta_slow'),
    attention_factor: sharper === 1 ? undefined : sharper * (1 + 0.1 * Math.log(factor)),
  });
}

/** Llama 3's scaling where the factors are its, or one with a factor for each frequency; none where all are 1. */
function scalingByFactors(
  factors: Float32Array,
  { head_dim: headSize, hidden_size: width, num_attention_heads: heads, max_position_embeddings: positions, rope_theta: base = 10000 }: HuggingFaceConfig,
): HuggingFaceConfig | undefined {
  const factor = factors.reduce((most, each) => Math.max(most, each), 1);
  if (factors.every((each) => each === 1)) return undefined;
  const rotary = { size: Number(headSize ?? Number(width) / Number(heads)), base: Number(base) };
  const plain = rotaryFrequencies(rotary);
  const scaling = {
    kind: 'llama3',
    factor,
    lowFrequencyFactor: LLAMA3.low_freq_factor,
    highFrequencyFactor: LLAMA3.high_freq_factor,
    originalPositions: LLAMA3.original_max_position_embeddings,
  } as const;
  const theirs = rotaryFrequencies({ ...rotary, scaling });
  const isLlama3 = theirs.every((frequency, i) => Math.abs((plain[i] / frequency / factors[i]) - 1) < 1e-5);
  if (isLlama3) return { rope_type: 'llama3', factor, ...LLAMA3 };
  const each = [...factors];
  return {
    rope_type: 'longrope',
    short_factor: each,
    long_factor: each,
    factor: 1,
    attention_factor: 1,
    original_max_position_embeddings: positions,
  };
} // biome-ignore format: the parameters are one list

function numbersOf(file: GgufFile, prefix: string): (key: string) => number | undefined {
  return (key) => {
    const value = file.metadata.get(`${prefix}.${key}`);
    return value === undefined ? undefined : Number(value);
  };
}

function definedOf(config: HuggingFaceConfig): HuggingFaceConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function unsupported(file: GgufFile, what: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'gguf.unsupported', position: { file: file.name }, message: `${what} is not supported`, hint }); // biome-ignore format: one line
}
