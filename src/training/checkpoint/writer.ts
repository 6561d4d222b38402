// Writes checkpoints: NAME.ckpt/ with one safetensors file per tensor group, state.json, artifacts/ and,
// last, manifest.json with sizes and hashes.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Engine, type HostData, type State, storedType } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { makeFolder, type SafeTensor, safetensorsParts } from '../../formats/index.js';
import { writing } from '../io-error.js';
import { spellNonfinite } from '../nonfinite-json.js';
import { writeFolderAtomically } from './atomic-folder.js';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_VERSION,
  type CheckpointContent,
  type CheckpointManifest,
  plainSegments,
  type TensorGroup,
} from './content.js';

type FileRecord = CheckpointManifest['files'][string];

/**
 * Saves a checkpoint as the folder `target`, which appears only when it is complete and on disk.
 * @throws AnemoneError `io.disk-full`, `io.no-permission`; earlier checkpoints are untouched
 */
export async function writeCheckpoint(
  target: string,
  content: CheckpointContent,
  engine: Pick<Engine, 'read'>,
): Promise<void> {
  await writing(target, () =>
    writeFolderAtomically(target, async (folder) => {
      const files: Record<string, FileRecord> = {};
      for (const group of content.groups) {
        const file = `${group.name}.safetensors`;
        files[file] = await writeSynced(join(folder, file), await groupParts(group, engine));
      }
      const json = `${JSON.stringify(content.state, spellNonfinite, 2)}\n`;
      files['state.json'] = await writeSynced(join(folder, 'state.json'), [Buffer.from(json)]);
      files['config.yaml'] = await writeSynced(join(folder, 'config.yaml'), [Buffer.from(content.config)]);
      for (const [name, bytes] of content.artifacts) {
        const path = join(folder, 'artifacts', ...segmentsOf(name));
        makeFolder(dirname(path));
        files[`artifacts/${name}`] = await writeSynced(path, [bytes]);
      }
      const manifest: CheckpointManifest = {
        format: CHECKPOINT_FORMAT,
        version: CHECKPOINT_VERSION,
        created: new Date().toISOString(),
        files,
      };
      await writeSynced(join(folder, 'manifest.json'), [
        Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`),
      ]);
    }),
  );
}

/** A group's tensors as the parts of a safetensors file. Only one group is in memory at a time. */
export async function groupParts(group: TensorGroup, engine: Pick<Engine, 'read'>): Promise<Uint8Array[]> {
  const tensors: [string, SafeTensor][] = [];
  for (const state of group.states) tensors.push([state.name, safeTensor(state, await engine.read(state))]);
  return safetensorsParts(tensors, { format: 'anemone', group: group.name });
}

export function safeTensor(spec: Pick<State, 'dtype' | 'shape'>, data: HostData): SafeTensor {
  return { dtype: storedType(spec.dtype), shape: [...spec.shape], data };
}

async function writeSynced(path: string, parts: readonly Uint8Array[]): Promise<FileRecord> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(path, 'wx');
  try {
    for (const part of parts) {
      hash.update(part);
      await handle.writeFile(part);
      bytes += part.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Artifacts lie below their folder, whatever a model calls them: plain names, or FOLDER/NAME. */
function segmentsOf(name: string): readonly string[] {
  const segments = plainSegments(name);
  if (segments) return segments;
  throw new AnemoneError({
    code: 'checkpoint.artifact-name',
    path: name,
    message: 'an artifact needs a plain file name, or one in a folder: FOLDER/NAME',
  });
}
