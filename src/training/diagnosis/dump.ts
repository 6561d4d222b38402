// A step written to disk so that it can be repeated elsewhere: batch, weights and the facts around them.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, configFromText } from '../../config/index.js';
import { type Engine, type HostData, type HostTensors, sizeOf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { memorySource, readSafetensors, type SafeTensor, safetensorsParts } from '../../formats/index.js';
import type { TrainableModel } from '../../nn/index.js';
import { CounterRandom } from '../../random/index.js';
import { applyTensors } from '../checkpoint/apply.js';
import { writeFolderAtomically } from '../checkpoint/atomic-folder.js';
import { weightStates } from '../checkpoint/restore.js';
import { groupParts, safeTensor } from '../checkpoint/writer.js';
import { writing } from '../io-error.js';
import { folderAbove, foldersBelow, someOf } from '../nearby.js';
import type { Explanation } from './explanation.js';

/** Start of the names of dumps; the step follows. */
export const DUMP_PREFIX = 'nonfinite-step=';

/** `step.json` of a dump. Non-finite numbers are written as text. */
export interface StepRecord extends Explanation {
  /** Random streams of the step: new CounterRandom(seed, 'step').derive(counter). */
  readonly seed: number;
  readonly counter: number;
  readonly engine: string;
  readonly scheduler: string;
  readonly clipped: boolean;
  readonly texts: readonly string[] | null;
}

export interface StepDump {
  readonly record: StepRecord;
  readonly inputs: HostTensors;
  readonly weights: ReadonlyMap<string, SafeTensor>;
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
  readonly config: Config;
}

export interface DumpedStep {
  readonly record: StepRecord;
  readonly inputs: HostTensors;
  readonly model: TrainableModel;
  readonly engine: Engine;
  /** YAML. */
  readonly config: string;
  /** The explanation. */
  readonly text: string;
}

/** Writes the folder `target`; the engine still holds the weights of before the step. */
export async function writeDump(
  target: string,
  { record, inputs, model, engine, config, text }: DumpedStep,
): Promise<void> {
  const batch = Object.entries(inputs).map(([name, t]) => [name, safeTensor(t, t.data)] as const);
  const artifacts = await model.artifacts();
  await writing(target, () =>
    writeFolderAtomically(target, async (folder) => {
      await writeFile(join(folder, 'batch.safetensors'), safetensorsParts(batch));
      const weights = await groupParts({ name: 'weights', states: weightStates(model) }, engine);
      await writeFile(join(folder, 'weights.safetensors'), weights);
      const files = [...artifacts].map(([name, bytes]) => [name, bytes] as const);
      const packed = files.map(
        ([name, data]) => [name, { dtype: 'U8', shape: [data.length], data }] as const,
      );
      await writeFile(join(folder, 'artifacts.safetensors'), safetensorsParts(packed));
      await writeFile(join(folder, 'step.json'), `${JSON.stringify(record, spellNonfinite, 2)}\n`);
      await writeFile(join(folder, 'config.yaml'), config);
      await writeFile(join(folder, 'explanation.txt'), `${text}\n`);
    }),
  );
}

/** @throws AnemoneError `replay.not-a-dump` */
export async function readDump(folder: string): Promise<StepDump> {
  const text = await readFile(join(folder, 'step.json'), 'utf8').catch(() => undefined);
  if (text === undefined) {
    const found = await foldersBelow(await folderAbove(folder), (name) => name.startsWith(DUMP_PREFIX));
    throw new AnemoneError({
      code: 'replay.not-a-dump',
      message: 'there is no step.json: this is not a step that training wrote for replay',
      position: { file: folder },
      hint:
        found.length > 0
          ? `found nearby: ${someOf(found)}`
          : `give the folder named when training stopped (…/diagnosis/${DUMP_PREFIX}N)`,
    });
  }
  const record = JSON.parse(text, readNonfinite) as StepRecord;
  const tensors = async (file: string) => {
    const bytes = await readFile(join(folder, file));
    return (await readSafetensors(memorySource(bytes, join(folder, file)))).tensors;
  };
  const inputs: HostTensors = {};
  const dtypes: Readonly<Record<string, 'float32' | 'int32' | 'bool'>> = {
    F32: 'float32',
    I32: 'int32',
    BOOL: 'bool',
  };
  for (const [name, { dtype, shape, data }] of await tensors('batch.safetensors')) {
    inputs[name] = { dtype: dtypes[dtype], shape, data: data.subarray(0, sizeOf(shape)) as HostData };
  }
  const artifacts = new Map<string, Uint8Array>();
  for (const [name, { data }] of await tensors('artifacts.safetensors'))
    artifacts.set(name, data as Uint8Array);
  const file = join(folder, 'config.yaml');
  const config = configFromText(await readFile(file, 'utf8'), [], { file });
  return { record, inputs, weights: await tensors('weights.safetensors'), artifacts, config };
}

/** Puts the dump's weights into the model. */
export async function restoreDump(
  dump: StepDump,
  model: TrainableModel,
  engine: Engine,
  source: string,
): Promise<void> {
  await applyTensors(dump.weights, weightStates(model), engine, source);
}

export function dumpRandom({ seed, counter }: StepRecord): CounterRandom {
  return new CounterRandom(seed, 'step').derive(counter);
}

function spellNonfinite(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { nonfinite: String(value) } : value;
}

function readNonfinite(_key: string, value: unknown): unknown {
  const isSpelled = typeof value === 'object' && value !== null && 'nonfinite' in value;
  return isSpelled ? Number(value.nonfinite) : value;
}
