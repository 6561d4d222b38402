// An adapter of Hugging Face's PEFT added to the weights of a network: generation then costs what it costs without one. Ranks and
// alphas may differ by map, as PEFT's rank_pattern and alpha_pattern say.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addLowRank } from '../../adapters/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { tensorToFloat32, type WeightFile } from '../../formats/index.js';
import { Linear } from '../../nn/index.js';
import type { LanguageNetwork } from '../network.js';
import { openPeft, peftBase, peftScale, wrongPeft } from './peft-folder.js';
import { peftMaps } from './peft-names.js';

/**
 * Adds the adapter of a folder to the weights that `engine` has of a network.
 * @throws AnemoneError `lm.peft` for an adapter of another kind or of another model; nothing is written then
 */
export async function mergePeft(
  network: LanguageNetwork,
  folder: string,
  engine: Pick<Engine, 'read' | 'write'>,
): Promise<void> {
  const { config, weights } = await openPeft(folder);
  try {
    const jobs = jobsOf(network, weights, folder);
    for (const [map, pairs] of jobs) {
      const weight = ((await engine.read(map.weight)) as Float32Array).slice();
      for (const { name, rows } of pairs) {
        const a = tensorToFloat32(await weights.read(`${name}.lora_A.weight`));
        const b = tensorToFloat32(await weights.read(`${name}.lora_B.weight`));
        const rank = a.length / map.inFeatures;
        addLowRank(weight, rows, { a, b, rank, scale: peftScale(config, name, rank, folder) });
      }
      await engine.write(map.weight, weight, true);
    }
  } finally {
    await weights.close();
  }
}

/** A map of theirs that is adapted, and which rows of ours are its rows. */
interface AdaptedRows {
  readonly name: string;
  readonly rows: readonly number[];
}

/** Maps of ours with what of the folder belongs to each; all tensors must find a place. */
function jobsOf(
  network: LanguageNetwork,
  { entries }: WeightFile,
  folder: string,
): Map<Linear, AdaptedRows[]> {
  const jobs = new Map<Linear, AdaptedRows[]>();
  const left = new Set(entries.keys());
  for (const map of network.modules()) {
    if (!(map instanceof Linear)) continue;
    const pairs = peftMaps({ map }, network.options).filter(({ name }) =>
      entries.has(`${name}.lora_A.weight`),
    );
    for (const { name, rows } of pairs) {
      const rank = entries.get(`${name}.lora_A.weight`)?.shape[0] ?? 0;
      const wanted = { lora_A: [rank, map.inFeatures], lora_B: [rows.length, rank] };
      for (const [kind, shape] of Object.entries(wanted)) {
        const tensor = `${name}.${kind}.weight`;
        const found = entries.get(tensor)?.shape;
        if (found?.join() !== shape.join())
          throw wrongPeft(folder, found ? `${tensor} is [${found.join(', ')}], the model wants [${shape.join(', ')}]` : `there is no ${tensor}`); // biome-ignore format: one line
        left.delete(tensor);
      }
    }
    if (pairs.length > 0) jobs.set(map, pairs);
  }
  if (left.size > 0)
    throw wrongPeft(folder, `the model has no place for ${[...left].slice(0, 3).join(', ')}`);
  if (jobs.size === 0) throw wrongPeft(folder, 'the adapter is empty');
  return jobs;
}

/**
 * Where the model of an adapter lies that its adapter_config.json names: from here, or from its folder.
 * @throws AnemoneError `lm.peft` where it names none, or one that is not there
 */
export async function peftBasePath(folder: string): Promise<string> {
  const base = await peftBase(folder);
  const found = base === undefined ? undefined : [base, join(folder, base)].find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new AnemoneError({
    code: 'lm.peft',
    path: 'base_model_name_or_path',
    position: { file: folder },
    message:
      base === undefined
        ? 'the adapter does not say which model it is for'
        : `there is no model ${base} here`,
    hint: 'give the model first, and the adapter with --adapter',
  });
}
