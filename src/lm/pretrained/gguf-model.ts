// Models of GGUF files: Llama, Qwen and Gemma, their weights under the names of transformers.
import type { GgufFile, GgufValue, WeightFile } from '../../formats/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { NetworkOptions } from '../network.js';
import { FREQUENCY_FACTORS } from './gguf-config.js';

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
  [/^blk\.(\d+)\.post_attention_norm\.weight$/, 'model.layers.$1.post_attention_layernorm.weight'],
  [/^blk\.(\d+)\.post_ffw_norm\.weight$/, 'model.layers.$1.post_feedforward_layernorm.weight'],
  [/^blk\.(\d+)\.attn_([qkv])\.(weight|bias)$/, 'model.layers.$1.self_attn.$2_proj.$3'],
  [/^blk\.(\d+)\.attn_([qk])_norm\.weight$/, 'model.layers.$1.self_attn.$2_norm.weight'],
  [/^blk\.(\d+)\.attn_output\.weight$/, 'model.layers.$1.self_attn.o_proj.weight'],
  [/^blk\.(\d+)\.ffn_(gate|up|down)\.weight$/, 'model.layers.$1.mlp.$2_proj.weight'],
];

/**
 * The tensors by the names of transformers, their numbers as it has them: Llama's rows of queries and keys are brought back into
 * its order, and weights of Gemma's norms are stored less 1.
 */
export function ggufWeights(file: GgufFile, { headSize, norm, normsOutputs }: NetworkOptions): WeightFile {
  const family = file.metadata.get('general.architecture');
  // Between attention and feed-forward block Gemma 2 has two norms, others one, which llama.cpp gives the second one's name.
  const beforeMlp = normsOutputs ? 'pre_feedforward_layernorm' : 'post_attention_layernorm';
  const names = [
    ...NAMES,
    [/^blk\.(\d+)\.ffn_norm\.weight$/, `model.layers.$1.${beforeMlp}.weight`] as const,
  ];
  const theirs = new Map<string, string>();
  for (const name of file.tensors.keys()) {
    if (name === FREQUENCY_FACTORS) continue;
    const [pattern, to] = names.find(([pattern]) => pattern.test(name)) ?? [/$^/, name];
    theirs.set(name.replace(pattern, to), name);
  }
  const shapeOf = (name: string) => file.tensors.get(theirs.get(name) as string)?.shape ?? [];
  return {
    name: file.name,
    entries: new Map(
      [...theirs.keys()].map((name) => [name, { dtype: 'F32' as const, shape: shapeOf(name) }]),
    ),
    read: async (name, scratch) => {
      const shape = shapeOf(name);
      const isTurned = family === 'llama' && /\.self_attn\.[qk]_proj\.weight$/.test(name);
      const place = scratch && floatsOf(scratch, shape);
      const data = await file.read(theirs.get(name) as string, isTurned ? undefined : place);
      const isLessOne = norm === 'rmsnorm1p' && /norm\.weight$/.test(name);
      if (isLessOne) for (let i = 0; i < data.length; i++) data[i] -= 1;
      return { dtype: 'F32', shape, data: isTurned ? halvesApart(data, headSize, shape[1], place) : data };
    },
    close: async () => {},
  };
}

/** Room for a tensor at the beginning of some memory; undefined where it has not enough. */
function floatsOf(
  { buffer, byteOffset, byteLength }: Uint8Array,
  shape: readonly number[],
): Float32Array | undefined {
  const count = shape.reduce((a, b) => a * b, 1);
  return byteOffset % 4 === 0 && byteLength >= 4 * count ? new Float32Array(buffer, byteOffset, count) : undefined; // biome-ignore format: one line
}

/** llama.cpp has neighbouring rows where transformers has rows half a head apart. */
function halvesApart(
  data: Float32Array,
  headSize: number,
  columns: number,
  out: Float32Array = new Float32Array(data.length),
): Float32Array {
  const half = headSize / 2;
  for (let row = 0; row * columns < data.length; row++) {
    const [head, at] = [Math.floor(row / headSize), row % headSize];
    const to = head * headSize + (at % 2) * half + (at >> 1);
    out.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}
