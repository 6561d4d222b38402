// Folders of Hugging Face's PEFT: adapter_config.json and adapter_model.safetensors of a LoRA, read and written.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LinearPlace, LowRankAdapter, LowRankPair } from '../../adapters/index.js';
import { readJson } from '../../config/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { makeFolder, openWeights, type SafeTensor, safetensorsParts, tensorToFloat32, type WeightFile, writeFileAtomically } from '../../formats/index.js'; // biome-ignore format: one line
import type { NetworkOptions } from '../network.js';
import { isGpt2, type PeftMap, peftMaps, WORDS } from './peft-names.js';

const CONFIG = 'adapter_config.json';
const WEIGHTS = ['adapter_model.safetensors', 'adapter_model.bin'];

/** A low-rank adapter of a model: maps, and what stands beside them. */
export type AdaptedMaps = readonly (readonly [LinearPlace, LowRankAdapter])[];

/** Whether a folder holds an adapter of PEFT. */
export function isPeftFolder(path: string): boolean {
  return existsSync(join(path, CONFIG));
}

/** The model that an adapter was trained on, as its config names it; undefined where it does not. */
export async function peftBase(folder: string): Promise<string | undefined> {
  const { base_model_name_or_path: base } = await readConfig(folder);
  return typeof base === 'string' && base !== '' ? base : undefined;
}

/**
 * Writes an adapter. A pair of ours that stands for several maps of theirs is written once for each.
 * @param base of what model, as the config names it
 */
export async function savePeft(
  folder: string,
  maps: AdaptedMaps,
  { base, network }: { readonly base: string; readonly network: NetworkOptions },
  engine: Pick<Engine, 'read'>,
): Promise<void> {
  const tensors: [string, SafeTensor][] = [];
  const targets = new Set<string>();
  const layers = new Set<number>();
  const pattern: Record<string, number> = {};
  for (const [place, adapter] of maps) {
    layers.add(Number(/\.layers\.(\d+)\./.exec(place.map.path)?.[1]));
    for (const theirs of peftMaps(place, network)) {
      const pair = await theirPair(place, adapter, theirs, engine);
      if (!pair) continue;
      const { name, target } = theirs;
      targets.add(target);
      if (pair.rank !== adapter.config.dim) pattern[target] = pair.rank;
      tensors.push([`${name}.lora_A.weight`, tensor(pair.a, [pair.rank, place.map.inFeatures])]);
      tensors.push([`${name}.lora_B.weight`, tensor(pair.b, [theirs.rows.length, pair.rank])]);
    }
  }
  const { dim, alpha, dropout } = (maps[0][1] as LowRankAdapter).config;
  const scale = (alpha ?? dim) / dim;
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: base,
    r: dim,
    lora_alpha: alpha ?? dim,
    lora_dropout: dropout,
    target_modules: [...targets],
    layers_to_transform: layers.size < network.layers ? [...layers].sort((a, b) => a - b) : null,
    rank_pattern: pattern,
    alpha_pattern: Object.fromEntries(Object.entries(pattern).map(([target, rank]) => [target, scale * rank])), // biome-ignore format: one line
    bias: 'none',
    fan_in_fan_out: isGpt2(network),
    init_lora_weights: true,
    inference_mode: true,
    modules_to_save: null,
    use_dora: false,
    use_rslora: false,
  };
  makeFolder(folder);
  await writeFileAtomically(join(folder, WEIGHTS[0]), safetensorsParts(tensors, { format: 'pt' }));
  await writeFileAtomically(join(folder, CONFIG), [Buffer.from(`${JSON.stringify(config, null, 2)}\n`)]);
}

/** What a folder's adapter_config.json says, and its tensors; to be closed. */
interface PeftFolder {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: WeightFile;
}

/** @throws AnemoneError `lm.peft` for an adapter of another kind */
export async function openPeft(folder: string): Promise<PeftFolder> {
  const config = await readConfig(folder);
  const refuse = (key: string, message: string): never => {
    throw wrongPeft(folder, message, key);
  };
  if (config['peft_type'] !== 'LORA') refuse('peft_type', `${String(config['peft_type'])} is not supported: LORA is`); // biome-ignore format: one line
  if (config['use_dora'] === true) refuse('use_dora', 'DoRA is not supported');
  if ((config['bias'] ?? 'none') !== 'none' || config['lora_bias'] === true) refuse('bias', 'adapters with biases are not supported'); // biome-ignore format: one line
  if (Array.isArray(config['modules_to_save']) && config['modules_to_save'].length > 0) refuse('modules_to_save', 'whole modules beside the adapter are not supported'); // biome-ignore format: one line
  const { r: rank, lora_alpha: alpha = rank } = config;
  if (!Number.isInteger(rank) || (rank as number) < 1) refuse('r', 'expected a whole number above 0');
  if (typeof alpha !== 'number') refuse('lora_alpha', 'expected a number');
  return { config, weights: await openAdapter(folder) };
}

/**
 * Factor of the product of a map of theirs: alpha / rank, or with rsLoRA alpha / √rank (Kalajdzievski 2023).
 * @throws AnemoneError `lm.peft`
 */
export function peftScale(config: PeftFolder['config'], name: string, rank: number, folder: string): number {
  const { lora_alpha: usual = config['r'], alpha_pattern: pattern, use_rslora: isStable } = config;
  const named = Object.entries((pattern ?? {}) as object).find(([key]) => {
    if (/[^\w.-]/.test(key)) throw wrongPeft(folder, `the pattern ${JSON.stringify(key)} is not supported: names of maps are`, 'alpha_pattern'); // biome-ignore format: one line
    return name === key || name.endsWith(`.${key}`);
  });
  const alpha: unknown = named?.[1] ?? usual;
  if (typeof alpha !== 'number') throw wrongPeft(folder, 'expected numbers', 'alpha_pattern');
  return isStable === true ? alpha / Math.sqrt(rank) : alpha / rank;
}

/**
 * What an adapter of theirs is here: the keys of LoRA as a component.
 * @throws AnemoneError `lm.peft` for an adapter of another kind, or one that this library cannot train on
 */
export async function peftConfig(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const { config, weights } = await openPeft(folder);
  try {
    for (const key of ['rank_pattern', 'alpha_pattern'])
      if (Object.keys((config[key] ?? {}) as object).length > 0) throw wrongPeft(folder, 'ranks that differ by map are not supported', key); // biome-ignore format: one line
    const { r: rank, lora_alpha: alpha = rank } = config as {
      readonly r: number;
      readonly lora_alpha?: number;
    };
    const names = [...weights.entries.keys()].filter((name) => name.includes('.lora_A.'));
    const targets = [...new Set(names.map(targetOf))];
    const layers = [...new Set(names.map((name) => Number(/\.(?:layers|h)\.(\d+)\./.exec(name)?.[1]) + 1))];
    return {
      dim: rank,
      // rsLoRA divides by the root of the rank (Kalajdzievski 2023).
      alpha: alpha * (config['use_rslora'] === true ? Math.sqrt(rank) : 1),
      dropout: typeof config['lora_dropout'] === 'number' ? config['lora_dropout'] : 0,
      dropout_position: 'pre',
      variant: targets.some((target) => target in WORDS) ? 'nemo' : 'canonical',
      target_modules: targets.map((target) => WORDS[target] ?? target),
      layer_selection: layers.sort((a, b) => a - b),
    };
  } finally {
    await weights.close();
  }
}

/** Puts the tensors of a folder into an adapter. @throws AnemoneError `lm.peft` where the two differ */
export async function loadPeft(
  folder: string,
  maps: AdaptedMaps,
  engine: Pick<Engine, 'write'>,
  network: NetworkOptions,
): Promise<void> {
  const weights = await openAdapter(folder);
  try {
    const left = new Set(weights.entries.keys());
    const read = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
      const entry = weights.entries.get(name);
      if (!entry) throw wrongPeft(folder, `there is no ${name}`);
      if (entry.shape.join() !== shape.join())
        throw wrongPeft(
          folder,
          `${name} is [${entry.shape.join(', ')}], the model wants [${shape.join(', ')}]`,
        );
      left.delete(name);
      return tensorToFloat32(await weights.read(name));
    };
    for (const [place, adapter] of maps) {
      for (const theirs of peftMaps(place, network)) {
        const pair = adapter.pairs.get(theirs.part) ?? adapter.pairs.get('');
        if (!pair) continue;
        const a = await read(`${theirs.name}.lora_A.weight`, pair.narrow.shape);
        const b = await read(`${theirs.name}.lora_B.weight`, pair.wide.shape);
        await engine.write(pair.narrow, a);
        await engine.write(pair.wide, theirs.part === '' ? ordered(b, theirs.rows, pair.rank) : b);
      }
    }
    if (left.size > 0)
      throw wrongPeft(folder, `the model has no place for ${[...left].slice(0, 3).join(', ')}`);
  } finally {
    await weights.close();
  }
}

/** The pair of a map of theirs; undefined where it is not adapted. */
async function theirPair(
  place: LinearPlace,
  adapter: LowRankAdapter,
  theirs: PeftMap,
  engine: Pick<Engine, 'read'>,
): Promise<{ a: Float32Array; b: Float32Array; rank: number } | undefined> {
  const read = async ({ narrow, wide }: LowRankPair): Promise<[Float32Array, Float32Array]> => [
    Float32Array.from((await engine.read(narrow)) as Float32Array),
    Float32Array.from((await engine.read(wide)) as Float32Array),
  ];
  const whole = adapter.pairs.get('');
  if (whole) {
    const [a, b] = await read(whole);
    const { rank } = whole;
    const rows = theirs.rows.flatMap((row) => [...b.subarray(row * rank, (row + 1) * rank)]);
    return { a, b: Float32Array.from(rows), rank };
  }
  const own = adapter.pairs.get(theirs.part);
  if (own) {
    const [a, b] = await read(own);
    return { a, b, rank: own.rank };
  }
  // GPT-2 has one map where ours has a pair for each part: a wider pair, each part in columns of its own.
  if (theirs.part !== '') return undefined;
  const parts = [...adapter.pairs.values()];
  const rank = parts.reduce((sum, pair) => sum + pair.rank, 0);
  const a = new Float32Array(rank * place.map.inFeatures);
  const b = new Float32Array(theirs.rows.length * rank);
  let [column, row] = [0, 0];
  for (const { name } of place.map.rows?.parts ?? []) {
    const pair = adapter.pairs.get(name);
    const count = theirs.rows.length / (place.map.rows?.parts.length ?? 1);
    if (pair) {
      const [ownA, ownB] = await read(pair);
      a.set(ownA, column * place.map.inFeatures);
      for (let i = 0; i < count; i++) b.set(ownB.subarray(i * pair.rank, (i + 1) * pair.rank), (row + i) * rank + column); // biome-ignore format: one line
      column += pair.rank;
    }
    row += count;
  }
  return { a, b, rank };
}

/** Rows of theirs at their places in ours. */
function ordered(b: Float32Array, rows: readonly number[], rank: number): Float32Array {
  const out = new Float32Array(b.length);
  for (const [i, row] of rows.entries()) out.set(b.subarray(i * rank, (i + 1) * rank), row * rank);
  return out;
}

/** The name of the adapted map in `…self_attn.q_proj.lora_A.weight`; GPT-2's names need two parts. */
function targetOf(name: string): string {
  const parts = name.slice(0, name.indexOf('.lora_A.')).split('.');
  const two = parts.slice(-2).join('.');
  return two in WORDS ? two : (parts.at(-1) as string);
}

async function openAdapter(folder: string): Promise<WeightFile> {
  const file = WEIGHTS.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (file) return openWeights(file);
  throw wrongPeft(folder, `there is no ${WEIGHTS.join(' or ')}`);
}

function readConfig(folder: string): Promise<Readonly<Record<string, unknown>>> {
  return readJson(join(folder, CONFIG), 'mapping', { code: 'lm.peft', prefix: 'lm' }) as Promise<Readonly<Record<string, unknown>>>; // biome-ignore format: one line
}

function tensor(data: Float32Array, shape: readonly number[]): SafeTensor {
  return { dtype: 'F32', shape: [...shape], data };
}

/** @param path the key of adapter_config.json */
export function wrongPeft(folder: string, message: string, path?: string): AnemoneError {
  return new AnemoneError({
    code: 'lm.peft',
    path,
    position: { file: folder },
    message,
    hint: 'an adapter of PEFT is a folder with adapter_config.json and adapter_model.safetensors of a LoRA',
  });
}
