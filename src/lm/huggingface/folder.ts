// A model folder of Hugging Face: config.json, and weights in one safetensors file or several with an index.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, recordOf } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import { openWeights, type WeightFile } from '../../formats/index.js';
import type { NetworkOptions } from '../network.js';
import { architectureOf, type HuggingFaceConfig } from './architecture.js';

/** What lies in a folder. */
export interface HuggingFaceFolder {
  readonly config: HuggingFaceConfig;
  readonly architecture: NetworkOptions;
  /** All tensors, by the names of transformers; to be closed. */
  readonly weights: WeightFile;
}

/**
 * Opens a folder of Hugging Face: config.json and safetensors, one file or several with an index.
 * @throws AnemoneError `lm.huggingface`, `weights.*`
 */
export async function openHuggingFace(folder: string): Promise<HuggingFaceFolder> {
  const file = join(folder, 'config.json');
  const config = (await readJson(file, 'mapping', {
    code: 'lm.huggingface',
    prefix: 'lm',
  })) as HuggingFaceConfig;
  const architecture = architectureOf(config, file);
  return { config, architecture, weights: await folderWeights(folder) };
}

async function folderWeights(folder: string): Promise<WeightFile> {
  const index = join(folder, 'model.safetensors.index.json');
  if (!existsSync(index)) return openWeights(join(folder, 'model.safetensors'));
  const format = recordOf('any');
  const { weight_map: map } = await readJson(index, format, { code: 'lm.huggingface', prefix: 'lm' });
  const names = [...new Set(Object.values((map ?? {}) as Record<string, unknown>))];
  for (const name of names) {
    if (typeof name === 'string' && /^[\w.-]+\.safetensors$/.test(name)) continue;
    const message = `${JSON.stringify(name)} is no name of a safetensors file`;
    throw new AnemoneError({
      code: 'lm.huggingface',
      path: 'weight_map',
      position: { file: index },
      message,
    });
  }
  const files: WeightFile[] = [];
  try {
    for (const name of names) files.push(await openWeights(join(folder, name as string)));
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
  const owners = new Map(
    files.flatMap((file) => [...file.entries.keys()].map((name) => [name, file] as const)),
  );
  return {
    name: folder,
    entries: new Map(files.flatMap((file) => [...file.entries])),
    read: (name) => (owners.get(name) as WeightFile).read(name),
    close: async () => {
      await Promise.all(files.map((file) => file.close()));
    },
  };
}
