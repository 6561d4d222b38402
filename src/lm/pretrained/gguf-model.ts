// Models of GGUF files: Llama and Qwen, their weights under the names of transformers.
import { AnemoneError } from '../../errors/index.js';
import type { GgufFile, GgufValue, WeightFile } from '../../formats/index.js';
import type { Tokenizer } from '../../text/index.js';
import { architectureOf, type HuggingFaceConfig } from '../huggingface/architecture.js';
import type { NetworkOptions } from '../network.js';

/** Families by llama.cpp's names, which are those of transformers. */
const FAMILIES = ['llama', 'qwen2', 'qwen3'];

/** @throws AnemoneError `gguf.unsupported`, `lm.huggingface` */
export function ggufArchitecture(file: GgufFile): NetworkOptions {
  return architectureOf(ggufConfig(file), file.name);
}

/** The config.json that the model would have. @throws AnemoneError `gguf.unsupported` */
export function ggufConfig(file: GgufFile): HuggingFaceConfig {
  const family = String(file.metadata.get('general.architecture'));
  if (!FAMILIES.includes(family)) throw unsupported(file, `the architecture "${family}"`, `read are ${FAMILIES.join(', ')}`); // biome-ignore format: one line
  if (file.tensors.has('rope_freqs.weight')) throw unsupported(file, 'scaling of rotary positions', 'Llama 2 and 3.0 have none'); // biome-ignore format: one line
  const number = (key: string): number | undefined => {
    const value = file.metadata.get(`${family}.${key}`);
    return value === undefined ? undefined : Number(value);
  };
  const id = (key: string): number | undefined => {
    const value = file.metadata.get(`tokenizer.ggml.${key}_token_id`);
    return value === undefined ? undefined : Number(value);
  };
  const table = file.tensors.get('token_embd.weight')?.shape;
  const config = {
    model_type: family,
    hidden_act: 'silu',
    hidden_size: number('embedding_length'),
    intermediate_size: number('feed_forward_length'),
    num_hidden_layers: number('block_count'),
    num_attention_heads: number('attention.head_count'),
    num_key_value_heads: number('attention.head_count_kv'),
    head_dim:
      number('attention.key_length') ?? (family === 'llama' ? number('rope.dimension_count') : undefined),
    max_position_embeddings: number('context_length'),
    rms_norm_eps: number('attention.layer_norm_rms_epsilon'),
    rope_theta: number('rope.freq_base'),
    vocab_size: table?.[0],
    tie_word_embeddings: !file.tensors.has('output.weight'),
    bos_token_id: id('bos'),
    eos_token_id: id('eos'),
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

/** Which tokens end a text, and whether one begins it. */
export function ggufEnds(
  file: GgufFile,
  { eosId }: Tokenizer,
): { readonly ends: readonly number[]; readonly addsBos: boolean } {
  const get = (key: string): GgufValue | undefined => file.metadata.get(`tokenizer.ggml.${key}`);
  const ids = [eosId, ...['eot_token_id', 'eom_token_id'].map((key) => Number(get(key) ?? -1))];
  const addsBos = get('add_bos_token') ?? get('model') === 'llama';
  return { ends: [...new Set(ids.filter((id) => id >= 0))], addsBos: addsBos === true };
}

const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^token_embd\.weight$/, 'model.embed_tokens.weight'],
  [/^output_norm\.weight$/, 'model.norm.weight'],
  [/^output\.weight$/, 'lm_head.weight'],
  [/^blk\.(\d+)\.attn_norm\.weight$/, 'model.layers.$1.input_layernorm.weight'],
  [/^blk\.(\d+)\.ffn_norm\.weight$/, 'model.layers.$1.post_attention_layernorm.weight'],
  [/^blk\.(\d+)\.attn_([qkv])\.(weight|bias)$/, 'model.layers.$1.self_attn.$2_proj.$3'],
  [/^blk\.(\d+)\.attn_([qk])_norm\.weight$/, 'model.layers.$1.self_attn.$2_norm.weight'],
  [/^blk\.(\d+)\.attn_output\.weight$/, 'model.layers.$1.self_attn.o_proj.weight'],
  [/^blk\.(\d+)\.ffn_(gate|up|down)\.weight$/, 'model.layers.$1.mlp.$2_proj.weight'],
];

/** The tensors by the names of transformers; Llama's rows of queries and keys are brought back into its order. */
export function ggufWeights(file: GgufFile, { headSize }: NetworkOptions): WeightFile {
  const family = file.metadata.get('general.architecture');
  const theirs = new Map<string, string>();
  for (const name of file.tensors.keys()) {
    const [pattern, to] = NAMES.find(([pattern]) => pattern.test(name)) ?? [/$^/, name];
    theirs.set(name.replace(pattern, to), name);
  }
  const shapeOf = (name: string) => file.tensors.get(theirs.get(name) as string)?.shape ?? [];
  return {
    name: file.name,
    entries: new Map(
      [...theirs.keys()].map((name) => [name, { dtype: 'F32' as const, shape: shapeOf(name) }]),
    ),
    read: async (name) => {
      const shape = shapeOf(name);
      const data = await file.read(theirs.get(name) as string);
      const isTurned = family === 'llama' && /\.self_attn\.[qk]_proj\.weight$/.test(name);
      return { dtype: 'F32', shape, data: isTurned ? halvesApart(data, headSize, shape[1]) : data };
    },
    close: async () => {},
  };
}

/** llama.cpp has neighbouring rows where transformers has rows half a head apart. */
function halvesApart(data: Float32Array, headSize: number, columns: number): Float32Array {
  const out = new Float32Array(data.length);
  const half = headSize / 2;
  for (let row = 0; row * columns < data.length; row++) {
    const [head, at] = [Math.floor(row / headSize), row % headSize];
    const to = head * headSize + (at % 2) * half + (at >> 1);
    out.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}

function unsupported(file: GgufFile, what: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'gguf.unsupported', position: { file: file.name }, message: `${what} is not supported`, hint }); // biome-ignore format: one line
}
