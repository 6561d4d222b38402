// The weights of a language network among the tensors of a file of Hugging Face's transformers.
import { AnemoneError } from '../../errors/index.js';
import { type SafeTensor, tensorToFloat32, type WeightFile } from '../../formats/index.js';
import type { WeightSource } from '../../nn/index.js';
import type { NetworkOptions } from '../network.js';
import { type Recipe, recipesOf, rootOf } from './recipes.js';

/**
 * A file of theirs, as the network with Megatron core's names sees it.
 * @param prefix of the network's names
 * @throws AnemoneError `lm.huggingface` where a tensor is missing or left over
 */
export function networkWeights(file: WeightFile, options: NetworkOptions, prefix = ''): WeightSource {
  const whole = rootOf(options);
  const root = [...file.entries.keys()].some((name) => name.startsWith(whole)) ? whole : '';
  const recipes = recipesOf(options, root);
  const used = new Set([...recipes.values()].flatMap(({ parts }) => parts.map(({ name }) => name)));
  const missing = [...used].filter((name) => !file.entries.has(name));
  const left = [...file.entries.keys()].filter((name) => !used.has(name) && !isHarmless(name, options));
  if (missing.length + left.length > 0) throw misfit(missing, left, file.name);
  for (const { name, shape } of [...recipes.values()].flatMap(({ parts }) => parts))
    checkShape(name, shape, file);
  const entries = new Map(
    [...recipes].map(([name, { shape }]) => [prefix + name, { dtype: 'F32' as const, shape }]),
  );
  const read = async (name: string): Promise<SafeTensor> => {
    const recipe = recipes.get(name.slice(prefix.length)) as Recipe;
    const { shape } = recipe;
    const data = recipe.make ? recipe.make(await partsOf(recipe, file)) : await inOrder(recipe, file);
    return { dtype: 'F32', shape, data };
  };
  // What recipes make is nobody else's: an engine may keep it.
  return { name: file.name, entries, read, resident: true };
}

async function partsOf({ parts }: Recipe, file: WeightFile): Promise<Float32Array[]> {
  const read: Float32Array[] = [];
  for (const { name } of parts) read.push(tensorToFloat32(await file.read(name)));
  return read;
}

/** Parts one after the other, each read to its place where the file has float32. */
async function inOrder({ parts, shape }: Recipe, file: WeightFile): Promise<Float32Array> {
  const out = new Float32Array(sizeOf(shape));
  let at = 0;
  for (const { name, shape } of parts) {
    const place = out.subarray(at, at + sizeOf(shape));
    const scratch = new Uint8Array(place.buffer, place.byteOffset, place.byteLength);
    const isPlain = file.entries.get(name)?.dtype === 'F32';
    const data = tensorToFloat32(await file.read(name, isPlain ? scratch : undefined));
    if (data.byteOffset !== place.byteOffset || data.buffer !== place.buffer) place.set(data);
    at += place.length;
  }
  return out;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Masks that old files hold, angles, and the head where it is the embedding. */
function isHarmless(name: string, { tiesHead }: NetworkOptions): boolean {
  return (
    /\.attn\.(masked_)?bias$|rotary_emb\.inv_freq$/.test(name) || (tiesHead && name === 'lm_head.weight')
  );
}

/** @throws AnemoneError `lm.huggingface` */
function checkShape(name: string, shape: readonly number[], file: WeightFile): void {
  const theirs = file.entries.get(name)?.shape ?? [];
  if (theirs.join() === shape.join()) return;
  throw new AnemoneError({
    code: 'lm.huggingface',
    path: name,
    position: { file: file.name },
    message: `the tensor is [${theirs.join(', ')}], where the config wants [${shape.join(', ')}]`,
  });
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
