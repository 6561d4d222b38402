// A model as a folder of Hugging Face: config.json, safetensors (several with an index where they are large), tokenizer.
import { mkdtempSync, readdirSync } from 'node:fs';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { makeFolder, type SafeTensor, safetensorsParts, toBfloat16, toFloat16 } from '../../formats/index.js';
import type { Parameter } from '../../nn/index.js';
import { LanguageNetwork } from '../network.js';
import type { HuggingFaceConfig } from './architecture.js';
import { classOf, configOf, type SpecialTokens } from './config-file.js';
import { type Recipe, recipesOf, rootOf } from './recipes.js';

/** Types that weights may be written as, and their names in config.json. */
const TYPES = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;
/** A type that weights are written as. */
export type ExportType = keyof typeof TYPES;

/** A model that is written. */
export interface ExportedModel {
  readonly network: LanguageNetwork;
  readonly tokenizer: SpecialTokens & { files(): ReadonlyMap<string, Uint8Array> };
  /** Default: what the network's options make. */
  readonly config?: HuggingFaceConfig | undefined;
  readonly ends?: readonly number[] | undefined;
}

/** How it is written. */
export interface ExportOptions {
  /** Default F32. */
  readonly type?: ExportType | undefined;
  /** Bytes of a file of weights. Default 5 · 10^9, as in transformers. */
  readonly shardBytes?: number | undefined;
}

const SHARD_BYTES = 5e9;

/**
 * Writes the folder, which must be empty or not there; it is there whole or not at all.
 * @returns the names of the files
 * @throws AnemoneError `lm.no-family`, `lm.folder`, `io.*`
 */
export async function writeHuggingFace(
  folder: string,
  model: ExportedModel,
  engine: Engine,
  { type = 'F32', shardBytes = SHARD_BYTES }: ExportOptions = {},
): Promise<readonly string[]> {
  const config = { ...(model.config ?? configOf(model.network.options, model.tokenizer)) };
  refuseFull(folder);
  makeFolder(dirname(resolve(folder)));
  const temporary = mkdtempSync(join(dirname(resolve(folder)), `.${basename(resolve(folder))}.writing-`));
  try {
    const architecture = config['architectures'] ?? [classOf(config)];
    const files = new Map<string, unknown>([
      ['config.json', { ...config, architectures: architecture, torch_dtype: TYPES[type] }],
      ['generation_config.json', generationConfig(model)],
    ]);
    for (const [name, json] of files) await writeFile(join(temporary, name), `${JSON.stringify(json, null, 2)}\n`); // biome-ignore format: one line
    for (const [name, bytes] of tokenizerFiles(model.tokenizer.files())) await writeFile(join(temporary, name), bytes); // biome-ignore format: one line
    await writeWeights(temporary, model.network, engine, type, shardBytes);
    // mkdtemp makes folders that only their owner may read.
    await chmod(temporary, 0o777 & ~process.umask());
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    return readdirSync(folder).sort();
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** A tokenizer.json is read as it is by one class alone; by others transformers would change what it does. */
function tokenizerFiles(files: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  const name = 'tokenizer_config.json';
  if (!files.has('tokenizer.json')) return files;
  const text = new TextDecoder().decode(files.get(name) ?? new TextEncoder().encode('{}'));
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', ...(JSON.parse(text) as object) };
  return new Map([...files, [name, new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)]]);
}

function refuseFull(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new AnemoneError({ code: 'lm.folder', message: 'this is no folder', position: { file: folder }, cause: error }); // biome-ignore format: one line
  }
  if (names.length === 0) return;
  throw new AnemoneError({
    code: 'lm.folder',
    message: `the folder has ${names.length} files already`,
    position: { file: folder },
    hint: 'name a new one',
  });
}

function generationConfig({ tokenizer: { bosId, eosId }, ends = eosId >= 0 ? [eosId] : [] }: ExportedModel) {
  return {
    ...(bosId >= 0 && { bos_token_id: bosId }),
    ...(ends.length > 0 && { eos_token_id: ends.length === 1 ? ends[0] : ends }),
  };
}

/** A weight of ours and how theirs are made of it. */
interface Job {
  readonly parameter: Parameter;
  readonly recipe: Recipe;
  readonly bytes: number;
}

async function writeWeights(
  folder: string,
  network: LanguageNetwork,
  engine: Engine,
  type: ExportType,
  shardBytes: number,
): Promise<void> {
  const shards = shardsOf(jobsOf(network, type === 'F32' ? 4 : 2), shardBytes);
  const isOne = shards.length === 1;
  const count = String(shards.length).padStart(5, '0');
  const owners: Record<string, string> = {};
  let total = 0;
  for (const [i, jobs] of shards.entries()) {
    const name = isOne
      ? 'model.safetensors'
      : `model-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`;
    const tensors: (readonly [string, SafeTensor])[] = [];
    for (const { parameter, recipe } of jobs) {
      const values = (await engine.read(parameter)) as Float32Array;
      const size = recipe.shape.reduce((a, b) => a * b, 1);
      // Rows beyond the vocabulary are padding.
      const parts = recipe.unmake(values.subarray(0, size));
      for (const [at, { name: part, shape }] of recipe.parts.entries()) {
        tensors.push([part, { dtype: type, shape, data: storedAs(parts[at], type) }]);
        owners[part] = name;
      }
    }
    const written = safetensorsParts(tensors, { format: 'pt' });
    total += tensors.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
    await writeFile(join(folder, name), written);
  }
  if (isOne) return;
  const index = { metadata: { total_size: total }, weight_map: owners };
  await writeFile(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
}

/** Our weights in the order of the network, whatever its names are: recipes go by those of Megatron core. */
function jobsOf(network: LanguageNetwork, width: number): Job[] {
  const { options } = network;
  const recipes = recipesOf(options, rootOf(options));
  const names = [...new LanguageNetwork(options, 'core').parameters()].map(({ name }) => name);
  return [...network.parameters()].map((parameter, i) => {
    const recipe = recipes.get(names[i]);
    if (!recipe) throw new AnemoneError({ code: 'lm.no-family', path: parameter.name, message: 'no family of transformers has this weight' }); // biome-ignore format: one line
    return { parameter, recipe, bytes: width * recipe.shape.reduce((a, b) => a * b, 1) };
  });
}

function shardsOf(jobs: readonly Job[], most: number): Job[][] {
  const shards: Job[][] = [[]];
  let bytes = 0;
  for (const job of jobs) {
    const last = shards[shards.length - 1];
    if (last.length > 0 && bytes + job.bytes > most) {
      shards.push([job]);
      bytes = job.bytes;
    } else {
      last.push(job);
      bytes += job.bytes;
    }
  }
  return shards;
}

function storedAs(values: Float32Array, type: ExportType): SafeTensor['data'] {
  if (type === 'F32') return values;
  return type === 'F16' ? toFloat16(values) : toBfloat16(values);
}
