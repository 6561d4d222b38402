// Writes a model's subnets as ONNX files.
import { basename, dirname, join } from 'node:path';
import { checkExport, type Engine, exportProgram } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { writeFileAtomically } from '../../formats/index.js';
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
}

export const DEFAULT_MAX_FRAMES = 5000;

/** @throws AnemoneError `export.path` when the name does not end in .onnx; see `exportProgram`, `checkExport` */
export async function exportOnnx(
  path: string,
  subnets: readonly Subnet[],
  metadata: Readonly<Record<string, string>>,
  engine: Engine,
  check: boolean,
): Promise<readonly string[]> {
  if (!path.endsWith('.onnx')) {
    throw new AnemoneError({ code: 'export.path', path, message: 'the name of the file must end in .onnx' });
  }
  const models: { file: string; bytes: Uint8Array }[] = [];
  for (const { prefix, spec, samples } of subnets) {
    const full = { ...spec, metadata, read: engine.read.bind(engine) };
    const bytes = await exportProgram(full);
    if (check) await checkExport(bytes, full, engine, samples);
    models.push({ file: join(dirname(path), `${prefix}${basename(path)}`), bytes });
  }
  for (const { file, bytes } of models) await replace(file, bytes);
  return models.map(({ file }) => file);
}

/** The whole file or none. */
async function replace(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFileAtomically(file, [bytes]);
  } catch (cause) {
    const message = `cannot write the file: ${(cause as Error).message}`;
    throw new AnemoneError({ code: 'export.write', path: file, message, cause });
  }
}
