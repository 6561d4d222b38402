// The weights of a language network among the tensors of Hugging Face's transformers: other names, queries, keys and values
// apart, and in GPT-2 maps that are stored transposed.
import { AnemoneError } from '../../errors/index.js';
import { type SafeTensor, tensorToFloat32, type WeightFile } from '../../formats/index.js';
import type { WeightSource } from '../../nn/index.js';
import { isGated } from '../../transformer/index.js';
import type { NetworkOptions } from '../network.js';

/** How a weight of ours is made of tensors of theirs. */
interface Recipe {
  readonly parts: readonly string[];
  readonly shape: readonly number[];
  readonly make: (parts: readonly Float32Array[]) => Float32Array;
}

const only = ([part]: readonly Float32Array[]): Float32Array => part;

/**
 * A file of theirs, as the network with Megatron core's names sees it.
 * @param prefix of the network's names
 * @throws AnemoneError `lm.huggingface` where a tensor is missing or left over
 */
export function networkWeights(file: WeightFile, options: NetworkOptions, prefix = ''): WeightSource {
  const isGpt2 = options.learnsPositions;
  const base = [...file.entries.keys()].some((name) => name.startsWith(isGpt2 ? 'transformer.' : 'model.'));
  const root = base ? (isGpt2 ? 'transformer.' : 'model.') : '';
  const recipes = isGpt2 ? gpt2Recipes(options, root) : llamaRecipes(options, root);
  const used = new Set([...recipes.values()].flatMap(({ parts }) => parts));
  const missing = [...used].filter((name) => !file.entries.has(name));
  const left = [...file.entries.keys()].filter((name) => !used.has(name) && !isHarmless(name, options));
  if (missing.length + left.length > 0) throw misfit(missing, left, file.name);
  const entries = new Map(
    [...recipes].map(([name, { shape }]) => [prefix + name, { dtype: 'F32' as const, shape }]),
  );
  const read = async (name: string): Promise<SafeTensor> => {
    const recipe = recipes.get(name.slice(prefix.length)) as Recipe;
    const parts: Float32Array[] = [];
    for (const part of recipe.parts) parts.push(tensorToFloat32(await file.read(part)));
    const data = recipe.make(parts);
    if (data.length === recipe.shape.reduce((a, b) => a * b, 1))
      return { dtype: 'F32', shape: recipe.shape, data };
    throw new AnemoneError({
      code: 'lm.huggingface',
      path: recipe.parts.join(', '),
      position: { file: file.name },
      message: `${data.length} numbers, where the config wants [${recipe.shape.join(', ')}]`,
    });
  };
  // What recipes make is nobody else's: an engine may keep it.
  return { name: file.name, entries, read, resident: true };
}

/** Masks that old files hold, angles, and the head where it is the embedding. */
function isHarmless(name: string, { tiesHead }: NetworkOptions): boolean {
  return (
    /\.attn\.(masked_)?bias$|rotary_emb\.inv_freq$/.test(name) || (tiesHead && name === 'lm_head.weight')
  );
}

function gpt2Recipes(options: NetworkOptions, root: string): Map<string, Recipe> {
  const { layers, width, inner, heads, headSize, positions, vocabulary } = options;
  const recipes = new Map<string, Recipe>();
  const plain = (name: string, part: string, shape: readonly number[]) =>
    recipes.set(name, { parts: [part], shape, make: only });
  const turned = (name: string, part: string, [out, into]: readonly [number, number]) =>
    recipes.set(name, { parts: [part], shape: [out, into], make: ([x]) => transposed(x, into, out) });
  plain('embedding.word_embeddings.weight', `${root}wte.weight`, [vocabulary, width]);
  plain('embedding.position_embeddings.weight', `${root}wpe.weight`, [positions, width]);
  for (let i = 0; i < layers; i++) {
    const [ours, theirs] = [`decoder.layers.${i}`, `${root}h.${i}`];
    const rows = 3 * width;
    const grouped = (x: Float32Array, columns: number): Float32Array => {
      const size = x.length / 3;
      const [q, k, v] = [0, 1, 2].map((part) => x.subarray(part * size, (part + 1) * size));
      return byGroup(q, k, v, { heads, groups: heads, headSize, columns });
    };
    for (const kind of ['weight', 'bias'] as const) {
      plain(`${ours}.self_attention.linear_qkv.layer_norm_${kind}`, `${theirs}.ln_1.${kind}`, [width]);
      plain(`${ours}.mlp.linear_fc1.layer_norm_${kind}`, `${theirs}.ln_2.${kind}`, [width]);
    }
    recipes.set(`${ours}.self_attention.linear_qkv.weight`, {
      parts: [`${theirs}.attn.c_attn.weight`],
      shape: [rows, width],
      make: ([x]) => grouped(transposed(x, width, rows), width),
    });
    recipes.set(`${ours}.self_attention.linear_qkv.bias`, {
      parts: [`${theirs}.attn.c_attn.bias`],
      shape: [rows],
      make: ([x]) => grouped(x, 1),
    });
    turned(`${ours}.self_attention.linear_proj.weight`, `${theirs}.attn.c_proj.weight`, [width, width]);
    plain(`${ours}.self_attention.linear_proj.bias`, `${theirs}.attn.c_proj.bias`, [width]);
    turned(`${ours}.mlp.linear_fc1.weight`, `${theirs}.mlp.c_fc.weight`, [inner, width]);
    plain(`${ours}.mlp.linear_fc1.bias`, `${theirs}.mlp.c_fc.bias`, [inner]);
    turned(`${ours}.mlp.linear_fc2.weight`, `${theirs}.mlp.c_proj.weight`, [width, inner]);
    plain(`${ours}.mlp.linear_fc2.bias`, `${theirs}.mlp.c_proj.bias`, [width]);
  }
  for (const kind of ['weight', 'bias'])
    plain(`decoder.final_layernorm.${kind}`, `${root}ln_f.${kind}`, [width]);
  if (!options.tiesHead) plain('output_layer.weight', 'lm_head.weight', [vocabulary, width]);
  return recipes;
}

function llamaRecipes(options: NetworkOptions, root: string): Map<string, Recipe> {
  const { layers, width, inner, heads, groups, headSize, vocabulary, bias, activation } = options;
  const recipes = new Map<string, Recipe>();
  const plain = (name: string, part: string, shape: readonly number[]) =>
    recipes.set(name, { parts: [part], shape, make: only });
  plain('embedding.word_embeddings.weight', `${root}embed_tokens.weight`, [vocabulary, width]);
  const sizes = { heads, groups, headSize };
  for (let i = 0; i < layers; i++) {
    const [ours, theirs] = [`decoder.layers.${i}`, `${root}layers.${i}`];
    const [attention, mlp] = [`${ours}.self_attention`, `${ours}.mlp`];
    plain(`${attention}.linear_qkv.layer_norm_weight`, `${theirs}.input_layernorm.weight`, [width]);
    const beforeMlp = options.normsOutputs ? 'pre_feedforward_layernorm' : 'post_attention_layernorm';
    plain(`${mlp}.linear_fc1.layer_norm_weight`, `${theirs}.${beforeMlp}.weight`, [width]);
    if (options.normsOutputs) {
      plain(`${ours}.post_self_attn_layernorm.weight`, `${theirs}.post_attention_layernorm.weight`, [width]);
      plain(`${ours}.post_mlp_layernorm.weight`, `${theirs}.post_feedforward_layernorm.weight`, [width]);
    }
    if (options.normsQueries)
      for (const name of ['q', 'k'])
        plain(`${attention}.${name}_layernorm.weight`, `${theirs}.self_attn.${name}_norm.weight`, [headSize]);
    const rows = (heads + 2 * groups) * headSize;
    const qkv = (kind: string, columns: number, shape: readonly number[]) =>
      recipes.set(`${attention}.linear_qkv.${kind}`, {
        parts: ['q', 'k', 'v'].map((name) => `${theirs}.self_attn.${name}_proj.${kind}`),
        shape,
        make: ([q, k, v]) => byGroup(q, k, v, { ...sizes, columns }),
      });
    qkv('weight', width, [rows, width]);
    if (options.queryBias ?? bias) qkv('bias', 1, [rows]);
    plain(`${attention}.linear_proj.weight`, `${theirs}.self_attn.o_proj.weight`, [width, heads * headSize]);
    if (options.projectionBias ?? bias)
      plain(`${attention}.linear_proj.bias`, `${theirs}.self_attn.o_proj.bias`, [width]);
    const up = isGated(activation) ? ['gate', 'up'] : ['up'];
    for (const kind of bias ? ['weight', 'bias'] : ['weight']) {
      recipes.set(`${mlp}.linear_fc1.${kind}`, {
        parts: up.map((name) => `${theirs}.mlp.${name}_proj.${kind}`),
        shape: kind === 'weight' ? [up.length * inner, width] : [up.length * inner],
        make: joined,
      });
      plain(`${mlp}.linear_fc2.${kind}`, `${theirs}.mlp.down_proj.${kind}`, kind === 'weight' ? [width, inner] : [width]); // biome-ignore format: one line
    }
  }
  plain('decoder.final_layernorm.weight', `${root}norm.weight`, [width]);
  if (!options.tiesHead) plain('output_layer.weight', 'lm_head.weight', [vocabulary, width]);
  return recipes;
}

interface HeadSizes {
  readonly heads: number;
  readonly groups: number;
  readonly headSize: number;
  readonly columns: number;
}

/** Rows in Megatron's order: of each group its queries, its key, its value. */
export function byGroup(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  { heads, groups, headSize, columns }: HeadSizes,
): Float32Array {
  const out = new Float32Array(q.length + k.length + v.length);
  const own = headSize * columns;
  const repeats = heads / groups;
  let at = 0;
  for (let group = 0; group < groups; group++) {
    for (const [x, size] of [
      [q, repeats * own],
      [k, own],
      [v, own],
    ] as const) {
      // biome-ignore format: one line
      out.set(x.subarray(group * size, (group + 1) * size), at);
      at += size;
    }
  }
  return out;
}

function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j];
  return out;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0];
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function misfit(missing: readonly string[], left: readonly string[], file: string): AnemoneError {
  const few = (names: readonly string[]): string => `${names.slice(0, 3).join(', ')}${names.length > 3 ? `, … (${names.length})` : ''}`; // biome-ignore format: one line
  const lacks = missing.length > 0 ? `lacks ${few(missing)}` : '';
  const has = left.length > 0 ? `has ${few(left)}, which nothing takes` : '';
  return new AnemoneError({
    code: 'lm.huggingface',
    position: { file },
    message: `the file ${[lacks, has].filter(Boolean).join(', and ')}`,
    hint: 'config.json and the weights must be of one model',
  });
}
