// How the weights of a language network are made of the tensors of Hugging Face's transformers, and those of these: other names,
// queries, keys and values apart, and in GPT-2 maps that are stored transposed.
import { joined } from '../../formats/index.js';
import { isGated } from '../../transformer/index.js';
import type { NetworkOptions } from '../network.js';

/** A tensor of theirs. */
export interface Part {
  readonly name: string;
  readonly shape: readonly number[];
}

/** How a weight of ours is made of tensors of theirs. */
export interface Recipe {
  readonly parts: readonly Part[];
  readonly shape: readonly number[];
  /** Default: one after the other. */
  readonly make?: (parts: readonly Float32Array[]) => Float32Array;
  /** The other way round. */
  readonly unmake: (ours: Float32Array) => readonly Float32Array[];
}

const alone = (ours: Float32Array): readonly Float32Array[] => [ours];

/** Recipes by our names, those of Megatron core. @param root before their names, such as `model.` */
export function recipesOf(options: NetworkOptions, root: string): ReadonlyMap<string, Recipe> {
  if (options.learnsPositions) return gpt2Recipes(options, root);
  return options.alibi ? mptRecipes(options, root) : llamaRecipes(options, root);
}

/** What stands before their names in a whole model. */
export function rootOf({ learnsPositions, alibi }: NetworkOptions): string {
  return learnsPositions || alibi ? 'transformer.' : 'model.';
}

function gpt2Recipes(options: NetworkOptions, root: string): Map<string, Recipe> {
  const { layers, width, inner, heads, headSize, positions, vocabulary } = options;
  const recipes = new Map<string, Recipe>();
  const plain = (name: string, part: string, shape: readonly number[]) =>
    recipes.set(name, { parts: [{ name: part, shape }], shape, unmake: alone });
  const turned = (name: string, part: string, [out, into]: readonly [number, number]) =>
    recipes.set(name, {
      parts: [{ name: part, shape: [into, out] }],
      shape: [out, into],
      make: ([x]) => transposed(x, into, out),
      unmake: (x) => [transposed(x, out, into)],
    });
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
    const apart = (x: Float32Array, columns: number): Float32Array =>
      joined(fromGroups(x, { heads, groups: heads, headSize, columns }));
    for (const kind of ['weight', 'bias'] as const) {
      plain(`${ours}.self_attention.linear_qkv.layer_norm_${kind}`, `${theirs}.ln_1.${kind}`, [width]);
      plain(`${ours}.mlp.linear_fc1.layer_norm_${kind}`, `${theirs}.ln_2.${kind}`, [width]);
    }
    recipes.set(`${ours}.self_attention.linear_qkv.weight`, {
      parts: [{ name: `${theirs}.attn.c_attn.weight`, shape: [width, rows] }],
      shape: [rows, width],
      make: ([x]) => grouped(transposed(x, width, rows), width),
      unmake: (x) => [transposed(apart(x, width), rows, width)],
    });
    recipes.set(`${ours}.self_attention.linear_qkv.bias`, {
      parts: [{ name: `${theirs}.attn.c_attn.bias`, shape: [rows] }],
      shape: [rows],
      make: ([x]) => grouped(x, 1),
      unmake: (x) => [apart(x, 1)],
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

function mptRecipes(options: NetworkOptions, root: string): Map<string, Recipe> {
  const { layers, width, inner, heads, headSize, vocabulary } = options;
  const recipes = new Map<string, Recipe>();
  const plain = (name: string, part: string, shape: readonly number[]) =>
    recipes.set(name, { parts: [{ name: part, shape }], shape, unmake: alone });
  plain('embedding.word_embeddings.weight', `${root}wte.weight`, [vocabulary, width]);
  const sizes = { heads, groups: heads, headSize, columns: width };
  for (let i = 0; i < layers; i++) {
    const [ours, theirs] = [`decoder.layers.${i}`, `${root}blocks.${i}`];
    plain(`${ours}.self_attention.linear_qkv.layer_norm_weight`, `${theirs}.norm_1.weight`, [width]);
    plain(`${ours}.mlp.linear_fc1.layer_norm_weight`, `${theirs}.norm_2.weight`, [width]);
    const shape = [3 * width, width];
    recipes.set(`${ours}.self_attention.linear_qkv.weight`, {
      parts: [{ name: `${theirs}.attn.Wqkv.weight`, shape }],
      shape,
      make: ([x]) => {
        const [q, k, v] = cut(x, 3);
        return byGroup(q, k, v, sizes);
      },
      unmake: (x) => [joined(fromGroups(x, sizes))],
    });
    plain(`${ours}.self_attention.linear_proj.weight`, `${theirs}.attn.out_proj.weight`, [width, width]);
    plain(`${ours}.mlp.linear_fc1.weight`, `${theirs}.ffn.up_proj.weight`, [inner, width]);
    plain(`${ours}.mlp.linear_fc2.weight`, `${theirs}.ffn.down_proj.weight`, [width, inner]);
  }
  plain('decoder.final_layernorm.weight', `${root}norm_f.weight`, [width]);
  if (!options.tiesHead) plain('output_layer.weight', 'lm_head.weight', [vocabulary, width]);
  return recipes;
}

function llamaRecipes(options: NetworkOptions, root: string): Map<string, Recipe> {
  const { layers, width, inner, heads, groups, headSize, vocabulary, bias, activation } = options;
  const recipes = new Map<string, Recipe>();
  const plain = (name: string, part: string, shape: readonly number[]) =>
    recipes.set(name, { parts: [{ name: part, shape }], shape, unmake: alone });
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
        parts: ['q', 'k', 'v'].map((name) => ({
          name: `${theirs}.self_attn.${name}_proj.${kind}`,
          shape: [(name === 'q' ? heads : groups) * headSize, ...shape.slice(1)],
        })),
        shape,
        make: ([q, k, v]) => byGroup(q, k, v, { ...sizes, columns }),
        unmake: (x) => fromGroups(x, { ...sizes, columns }),
      });
    qkv('weight', width, [rows, width]);
    if (options.queryBias ?? bias) qkv('bias', 1, [rows]);
    plain(`${attention}.linear_proj.weight`, `${theirs}.self_attn.o_proj.weight`, [width, heads * headSize]);
    if (options.projectionBias ?? bias)
      plain(`${attention}.linear_proj.bias`, `${theirs}.self_attn.o_proj.bias`, [width]);
    const up = isGated(activation) ? ['gate', 'up'] : ['up'];
    for (const kind of bias ? ['weight', 'bias'] : ['weight']) {
      const columns = kind === 'weight' ? [width] : [];
      recipes.set(`${mlp}.linear_fc1.${kind}`, {
        parts: up.map((name) => ({ name: `${theirs}.mlp.${name}_proj.${kind}`, shape: [inner, ...columns] })),
        shape: [up.length * inner, ...columns],
        unmake: (x) => cut(x, up.length),
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

/** Queries, keys and values of rows in Megatron's order. */
function fromGroups(
  x: Float32Array,
  { heads, groups, headSize, columns }: HeadSizes,
): [Float32Array, Float32Array, Float32Array] {
  const own = headSize * columns;
  const repeats = heads / groups;
  const [q, k, v] = [repeats, 1, 1].map((count) => new Float32Array(groups * count * own));
  let at = 0;
  for (let group = 0; group < groups; group++) {
    for (const [out, size] of [
      [q, repeats * own],
      [k, own],
      [v, own],
    ] as const) {
      out.set(x.subarray(at, at + size), group * size);
      at += size;
    }
  }
  return [q, k, v];
}

function cut(x: Float32Array, count: number): Float32Array[] {
  const size = x.length / count;
  return Array.from({ length: count }, (_, i) => x.subarray(i * size, (i + 1) * size));
}

function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j];
  return out;
}
