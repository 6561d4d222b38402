// The model that is tuned: what its file says of its network, and its weights. The file is known by its SHA-256, for
// checkpoints of adapters do not hold these weights.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Container, READ_FILE } from '../../container/index.js';
import { ENGINE } from '../../engine/index.js';
import { AnemoneError, saidBy } from '../../errors/index.js';
import { fileSource, readGguf, type SafeTensor } from '../../formats/index.js';
import type { Section } from '../../model/index.js';
import type { WeightSource } from '../../nn/index.js';
import { ggufTokenizer, openHuggingFaceTokenizer, type Tokenizer } from '../../text/index.js';
import { restoreLanguageModel } from '../archive.js';
import { openHuggingFace } from '../huggingface/folder.js';
import { networkWeights } from '../huggingface/weights.js';
import type { NamingScheme, NetworkOptions } from '../network.js';
import { ggufArchitecture } from '../pretrained/gguf-config.js';
import { ggufWeights } from '../pretrained/gguf-model.js';

/** What a file of a model holds. */
export interface BaseModel {
  readonly architecture: NetworkOptions;
  readonly naming: NamingScheme;
  readonly tokenizer: Tokenizer;
  /** The `model` section of a .nemo file. */
  readonly section?: Section;
  /** The weights, by the names of a network that is the child `prefix` of its model. */
  weights(prefix: string): WeightSource;
  /** Gives back the file, and what was read of it. */
  close(): Promise<void>;
}

/**
 * Opens a .nemo or .gguf file, or a folder of Hugging Face.
 * @throws AnemoneError `lm.base` for another kind of file, and what is wrong with it
 */
export async function openBase(path: string, container: Container): Promise<BaseModel> {
  const info = statSync(path, { throwIfNoEntry: false });
  if (!info)
    throw unknown(path, 'there is no such file or folder', 'restore_from_path is where the model lies that is tuned'); // biome-ignore format: one line
  if (info.isDirectory()) return huggingFaceBase(path, container);
  if (path.endsWith('.gguf')) return ggufBase(path);
  if (path.endsWith('.nemo')) return nemoBase(path, container);
  throw unknown(path, 'this is no model that can be tuned', 'a .nemo or .gguf file, or a folder with config.json and safetensors, is'); // biome-ignore format: one line
}

async function ggufBase(path: string): Promise<BaseModel> {
  const source = await fileSource(path, 'gguf');
  try {
    const file = await readGguf(source);
    const architecture = await ggufArchitecture(file);
    return {
      architecture,
      naming: 'core',
      tokenizer: ggufTokenizer(file),
      weights: (prefix) => networkWeights(ggufWeights(file, architecture), architecture, prefix),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function huggingFaceBase(path: string, container: Container): Promise<BaseModel> {
  if (!existsSync(join(path, 'config.json')))
    throw unknown(path, 'the folder has no config.json', 'give a folder of Hugging Face, a .nemo or a .gguf file'); // biome-ignore format: one line
  const { architecture, weights } = await openHuggingFace(path);
  try {
    return {
      architecture,
      naming: 'core',
      tokenizer: openHuggingFaceTokenizer(path, container.resolve(READ_FILE)),
      weights: (prefix) => networkWeights(weights, architecture, prefix),
      close: () => weights.close(),
    };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** The weights are in the engine for a while, before the tuned network takes them over. */
async function nemoBase(path: string, container: Container): Promise<BaseModel> {
  const engine = container.resolve(ENGINE);
  const model = await restoreLanguageModel(path, container);
  const { network, tokenizer } = model;
  const own = new Map([...network.parameters()].map((state) => [state.name.slice(network.path.length + 1), state])); // biome-ignore format: one line
  return {
    architecture: network.options,
    naming: network.naming,
    tokenizer,
    section: model.config,
    weights: (prefix) => ({
      name: path,
      entries: new Map([...own].map(([name, { shape }]) => [prefix + name, { dtype: 'F32', shape: [...shape] }])), // biome-ignore format: one line
      read: async (name): Promise<SafeTensor> => {
        const state = own.get(name.slice(prefix.length));
        if (!state) throw unknown(path, `there is no weight ${name}`);
        return { dtype: 'F32', shape: [...state.shape], data: await engine.read(state) };
      },
    }),
    close: async () => engine.release([...own.values()]),
  };
}

/** SHA-256 of a file, or of the weights and the config of a folder. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const names = isFolder ? (await readdir(path)).filter((name) => /^config\.json$|\.safetensors$/.test(name)).sort() : undefined; // biome-ignore format: one line
  for (const file of names?.map((name) => join(path, name)) ?? [path]) {
    try {
      for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }))
        hash.update(chunk as Buffer);
    } catch (cause) {
      throw new AnemoneError({ code: 'lm.base', position: { file }, message: `the model cannot be read${saidBy(cause)}`, cause }); // biome-ignore format: one line
    }
  }
  return hash.digest('hex');
}

function unknown(path: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'lm.base', path: 'model.restore_from_path', position: { file: path }, message, hint }); // biome-ignore format: one line
}
