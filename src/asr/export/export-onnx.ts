// Writes a model's subnets as ONNX files: all of them, checked, or none.
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
import type { Subnet } from './subnets.js';

export interface ExportOptions {
  /** Where the weights are. Default: the engine the model was made with. */
  readonly engine?: Engine;
  /** Encoder frames that the files take at least; tables of positions are as long. Default 5000. */
  readonly maxFrames?: number;
  /** Branch of a hybrid model. Default: the one it decodes with. */
  readonly decoder?: 'rnnt' | 'ctc';
  /** Run the files at other sizes and compare with the model before they are written. Default true. */
  readonly check?: boolean;
  /**
   * Bytes of weights from which on they lie in a file of their own, NAME.onnx.data beside NAME.onnx (ONNX's external
   * data). Default: where they no longer fit into one file, somewhat below 2 GiB.
   */
  readonly externalFrom?: number;
}

export const DEFAULT_MAX_FRAMES = 5000;

/** @throws AnemoneError `export.path` when the name does not end in .onnx; see `exportModel`, `checkExport` */
export async function exportOnnx(
  path: string,
  subnets: readonly Subnet[],
  metadata: Readonly<Record<string, string>>,
  engine: Engine,
  { check = true, externalFrom }: Pick<ExportOptions, 'check' | 'externalFrom'>,
): Promise<readonly string[]> {
  if (!path.endsWith('.onnx')) {
    throw new AnemoneError({ code: 'export.path', path, message: 'the name of the file must end in .onnx' });
  }
  const folder = dirname(path);
  const staging = await written(folder, () => stagingFolder(folder));
  try {
    const files: string[] = [];
    for (const { prefix, spec, samples } of subnets) {
      const full: ExportSpec = { ...spec, metadata, read: engine.read.bind(engine) };
      const name = `${prefix}${basename(path)}`;
      const model = await exportModel(full, { location: `${name}.data`, from: externalFrom });
      const names = await written(folder, () => stage(staging, name, model));
      if (check) await checkExport(join(staging, name), full, engine, samples);
      files.push(...names);
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
