// Writes a model's subnets as ONNX files, and texts beside them: all of them, checked, or none.
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  checkExport,
  type Engine,
  type ExportedModel,
  type ExportSpec,
  exportModel,
} from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { makeFolder, writeFileAtomically } from '../../formats/index.js';
import type { ChunkOptions } from '../encoders/chunk-plan.js';
import type { Subnet } from './subnets.js';

/** Which files are written, for whom, and for what sizes. */
export interface ExportOptions {
  /** Where the weights are. Default: the engine the model was made with. */
  readonly engine?: Engine;
  /** Encoder frames that the files take at least; tables of positions are as long. Default 5000. */
  readonly maxFrames?: number | undefined;
  /** Branch of a hybrid model. Default: the one it decodes with. */
  readonly decoder?: 'rnnt' | 'ctc' | undefined;
  /**
   * Whose files: NeMo's, or those of sherpa-onnx, in a folder of their own. Default `nemo`.
   */
  readonly for?: 'nemo' | 'sherpa' | undefined;
  /**
   * An encoder for streams, whose caches go in and out (NeMo's `cache_support`), with one of its contexts. What is
   * unlimited on the left sees `maxFrames`. Default false.
   */
  readonly streaming?: boolean | Pick<ChunkOptions, 'attContextSize' | 'chunkFrames'> | undefined;
  /** Run the files at other sizes and compare with the model before they are written. Default true. */
  readonly check?: boolean;
  /**
   * Bytes of weights from which on they lie in a file of their own, NAME.onnx.data beside NAME.onnx (ONNX's external
   * data). Default: where they no longer fit into one file, somewhat below 2 GiB.
   */
  readonly externalFrom?: number;
}

export const DEFAULT_MAX_FRAMES = 5000;

/** Where files go and what they are called. */
export interface ExportTarget {
  readonly folder: string;
  readonly nameOf: (subnet: Subnet) => string;
  /** Files besides the models, by name. */
  readonly texts: Readonly<Record<string, string>>;
}

/** NeMo's names, made of the name of one file. @throws AnemoneError `export.path` when it does not end in .onnx */
export function nemoTarget(path: string): ExportTarget {
  if (!path.endsWith('.onnx')) {
    throw new AnemoneError({ code: 'export.path', path, message: 'the name of the file must end in .onnx' });
  }
  return { folder: dirname(path), nameOf: ({ prefix }) => `${prefix}${basename(path)}`, texts: {} };
}

/** A folder with encoder.onnx, decoder.onnx, joiner.onnx or model.onnx, and tokens.txt. @throws AnemoneError `export.path` */
export function sherpaTarget(folder: string, tokens: string): ExportTarget {
  if (folder.endsWith('.onnx')) {
    const message = 'files for sherpa-onnx go into a folder, which is not to end in .onnx';
    throw new AnemoneError({ code: 'export.path', path: folder, message });
  }
  const nameOf = ({ prefix }: Subnet) => `${prefix === '' ? 'model' : prefix.slice(0, -1)}.onnx`;
  return { folder, nameOf, texts: { 'tokens.txt': tokens } };
}

/** Returns the files written. @throws AnemoneError see `exportModel`, `checkExport` */
export async function exportOnnx(
  { folder, nameOf, texts }: ExportTarget,
  subnets: readonly Subnet[],
  metadata: Readonly<Record<string, string>>,
  engine: Engine,
  { check = true, externalFrom }: Pick<ExportOptions, 'check' | 'externalFrom'>,
): Promise<readonly string[]> {
  const staging = await written(folder, () => stagingFolder(folder));
  try {
    const files: string[] = [];
    for (const subnet of subnets) {
      const { spec, samples } = subnet;
      const fullSpec: ExportSpec = { ...spec, metadata, read: engine.read.bind(engine) };
      const name = nameOf(subnet);
      const model = await exportModel(fullSpec, { location: `${name}.data`, from: externalFrom });
      const names = await written(folder, () => stage(staging, name, model));
      if (check) await checkExport(join(staging, name), fullSpec, engine, samples);
      files.push(...names);
    }
    for (const [name, text] of Object.entries(texts)) {
      await written(folder, () => writeFileAtomically(join(staging, name), [Buffer.from(text)]));
      files.push(name);
    }
    // Weights first: a model is never there without them.
    for (const name of files.toReversed()) {
      await written(folder, () => rename(join(staging, name), join(folder, name)));
    }
    return files.map((name) => join(folder, name));
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function stagingFolder(folder: string): Promise<string> {
  makeFolder(folder);
  return mkdtemp(join(folder, '.export-'));
}

async function stage(folder: string, name: string, { model, data }: ExportedModel): Promise<string[]> {
  await writeFileAtomically(join(folder, name), [model]);
  if (!data) return [name];
  await writeFileAtomically(join(folder, `${name}.data`), data);
  return [name, `${name}.data`];
}

async function written<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const message = `cannot write the files: ${(cause as Error).message}`;
    throw new AnemoneError({ code: 'export.write', path, message, cause });
  }
}
