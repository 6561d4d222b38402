// A step written to disk so that it can be repeated elsewhere: batch, weights and the facts around them.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, configFromText, defineSchema, listOf, readJson } from '../../config/index.js';
import { type Engine, type HostData, type HostTensors, typeStoredAs } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  COPY_LINKED,
  isLinked,
  memorySource,
  readRegularFile,
  readSafetensors,
  type SafeTensor,
  safetensorsParts,
} from '../../formats/index.js';
import type { TrainableModel } from '../../model/index.js';
import { CounterRandom } from '../../random/index.js';
import { applyTensors } from '../checkpoint/apply.js';
import { writeFolderAtomically } from '../checkpoint/atomic-folder.js';
import { weightStates } from '../checkpoint/weights.js';
import { groupParts, safeTensor } from '../checkpoint/writer.js';
import { writing } from '../io-error.js';
import { folderAbove, foldersBelow, someOf } from '../nearby.js';
import { spelledNumber, spellNonfinite } from '../nonfinite-json.js';
import { type Precision, precisionFormat } from '../precision.js';
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
  /** Absent in dumps of earlier versions: 32-true. */
  readonly precision?: Precision | undefined;
  /** Where the loss is scaled. */
  readonly lossScale?: number | undefined;
}

const recordShape = defineSchema('step.json', {
  step: { doc: 'Optimizer steps before it.', format: 'nat' },
  epoch: { doc: 'Epochs before it.', format: 'nat' },
  loss: { doc: 'Its loss.', format: spelledNumber },
  gradNorm: { doc: 'Its gradient norm.', format: spelledNumber },
  learningRate: { doc: 'Its learning rate.', format: spelledNumber },
  names: { doc: 'Its utterances.', format: listOf('string') },
  gradNorms: { doc: 'Gradient norms before it.', format: listOf(spelledNumber) },
  causes: { doc: 'Likely causes.', format: listOf('string') },
  seed: { doc: 'Seed of its random streams.', format: 'int' },
  counter: { doc: 'Counter of its random streams.', format: 'nat' },
  engine: { doc: 'Name of the engine.', format: 'string' },
  scheduler: { doc: 'Name of the schedule.', format: 'string' },
  clipped: { doc: 'Whether gradients were clipped.', format: 'boolean' },
  texts: { doc: 'Transcripts.', format: listOf('string'), nullable: true },
  precision: { doc: 'Precision of the run.', format: precisionFormat, optional: true },
  lossScale: { doc: 'Scale of the loss.', format: 'number', above: 0, optional: true },
});

/** Bytes of one file of a dump. */
const MAX_TENSORS = 2 ** 32;

/** A step as it was read back from a folder. */
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

/** What a replay reads. */
const FILES = [
  'step.json',
  'config.yaml',
  'batch.safetensors',
  'weights.safetensors',
  'artifacts.safetensors',
];

async function refuseLink(folder: string, file: string): Promise<void> {
  if (!(await isLinked(folder, [file]))) return;
  throw new AnemoneError({
    code: 'replay.damaged',
    message: `${file} is a link; a step for replay holds its files itself`,
    position: { file: folder },
    hint: COPY_LINKED,
  });
}

/**
 * Reads a step that training wrote down when it met numbers that are not finite.
 * @throws AnemoneError `replay.not-a-dump`, `replay.damaged`
 */
export async function readDump(folder: string): Promise<StepDump> {
  if (!existsSync(join(folder, 'step.json'))) {
    const foundFolders = await foldersBelow(await folderAbove(folder), (name) =>
      name.startsWith(DUMP_PREFIX),
    );
    throw new AnemoneError({
      code: 'replay.not-a-dump',
      message: 'there is no step.json: this is not a step that training wrote for replay',
      position: { file: folder },
      hint:
        foundFolders.length > 0
          ? `found nearby: ${someOf(foundFolders)}`
          : `give the folder named when training stopped (…/diagnosis/${DUMP_PREFIX}N)`,
    });
  }
  for (const file of FILES) await refuseLink(folder, file);
  const record = await readJson(join(folder, 'step.json'), recordShape, { code: 'replay.damaged' });
  const bytes = (file: string) =>
    readRegularFile(join(folder, file), { prefix: 'replay', maxBytes: MAX_TENSORS });
  const tensors = async (file: string) =>
    (await readSafetensors(memorySource(await bytes(file), join(folder, file)))).tensors;
  const inputs: HostTensors = {};
  for (const [name, tensor] of await tensors('batch.safetensors')) {
    inputs[name] = hostTensor(tensor, name, join(folder, 'batch.safetensors'));
  }
  const artifacts = new Map<string, Uint8Array>();
  for (const [name, { data }] of await tensors('artifacts.safetensors'))
    artifacts.set(name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const file = join(folder, 'config.yaml');
  const config = configFromText(new TextDecoder().decode(await bytes('config.yaml')), [], { file });
  return { record, inputs, weights: await tensors('weights.safetensors'), artifacts, config };
}

function hostTensor({ dtype, shape, data }: SafeTensor, name: string, file: string): HostTensors[string] {
  const ownDtype = typeStoredAs(dtype);
  if (ownDtype) return { dtype: ownDtype, shape, data: data as HostData };
  throw new AnemoneError({
    code: 'replay.damaged',
    path: name,
    message: `a batch has no tensors of type ${dtype}`,
    position: { file },
  });
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
