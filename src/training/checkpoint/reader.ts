// Reads checkpoints and refuses damaged ones: every file is compared with the manifest's size and hash.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, configFromText } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import { memorySource, readSafetensors, type SafeTensor } from '../../formats/index.js';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_VERSION,
  type CheckpointManifest,
  type CheckpointState,
} from './content.js';

/** A checkpoint that was found complete; tensors are read when asked for. */
export class Checkpoint {
  private constructor(
    readonly path: string,
    readonly state: CheckpointState,
    readonly created: string,
    private readonly manifest: CheckpointManifest,
  ) {}

  /**
   * Opens a checkpoint: reads manifest and state and compares the sizes of the other files.
   * @throws AnemoneError `checkpoint.missing`, `checkpoint.damaged`, `checkpoint.version`
   */
  static async open(path: string): Promise<Checkpoint> {
    const manifest = await readManifest(path);
    for (const [file, { bytes }] of Object.entries(manifest.files)) {
      const info = await stat(join(path, file)).catch(() => undefined);
      if (info?.size !== bytes) {
        throw damaged(path, `${file} has ${info?.size ?? 'no'} bytes, ${bytes} were written`);
      }
    }
    const text = await readChecked(path, 'state.json', manifest);
    return new Checkpoint(path, JSON.parse(text.toString()) as CheckpointState, manifest.created, manifest);
  }

  /** Compares every file with its hash. @throws AnemoneError `checkpoint.damaged` */
  async verify(): Promise<void> {
    for (const file of Object.keys(this.manifest.files)) await readChecked(this.path, file, this.manifest);
  }

  has(group: string): boolean {
    return `${group}.safetensors` in this.manifest.files;
  }

  /** The tensors of a group by name. @throws AnemoneError `checkpoint.damaged` */
  async tensors(group: string): Promise<ReadonlyMap<string, SafeTensor>> {
    const file = `${group}.safetensors`;
    const bytes = await readChecked(this.path, file, this.manifest);
    return (await readSafetensors(memorySource(bytes, join(this.path, file)))).tensors;
  }

  /** The run's config, with the sections `model` and `trainer`. */
  async config(): Promise<Config> {
    const bytes = await readChecked(this.path, 'config.yaml', this.manifest);
    return configFromText(bytes.toString(), [], { file: join(this.path, 'config.yaml') });
  }

  /** The model's own files by name. */
  async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    const artifacts = new Map<string, Uint8Array>();
    for (const file of Object.keys(this.manifest.files)) {
      if (!file.startsWith('artifacts/')) continue;
      artifacts.set(file.slice('artifacts/'.length), await readChecked(this.path, file, this.manifest));
    }
    return artifacts;
  }
}

async function readManifest(path: string): Promise<CheckpointManifest> {
  const folder = await stat(path).catch(() => undefined);
  if (!folder) {
    throw new AnemoneError({
      code: 'checkpoint.missing',
      message: 'there is no such checkpoint',
      position: { file: path },
    });
  }
  const text = await readFile(join(path, 'manifest.json'), 'utf8').catch(() => undefined);
  if (text === undefined) throw damaged(path, 'manifest.json is missing');
  let manifest: Partial<CheckpointManifest>;
  try {
    manifest = JSON.parse(text) as Partial<CheckpointManifest>;
  } catch {
    throw damaged(path, 'manifest.json is cut off');
  }
  if (manifest.format !== CHECKPOINT_FORMAT || !manifest.files)
    throw damaged(path, 'manifest.json is of something else');
  if (manifest.version !== CHECKPOINT_VERSION) {
    throw new AnemoneError({
      code: 'checkpoint.version',
      message: `written in format ${manifest.version}, this version reads ${CHECKPOINT_VERSION}`,
      position: { file: path },
    });
  }
  return manifest as CheckpointManifest;
}

async function readChecked(path: string, file: string, manifest: CheckpointManifest): Promise<Buffer> {
  const record = manifest.files[file];
  if (!record) throw damaged(path, `${file} is not in the manifest`);
  const bytes = await readFile(join(path, file)).catch(() => undefined);
  if (!bytes) throw damaged(path, `${file} is missing`);
  if (createHash('sha256').update(bytes).digest('hex') !== record.sha256) {
    throw damaged(path, `${file} is not what was written`);
  }
  return bytes;
}

export function damaged(path: string, reason: string): AnemoneError {
  return new AnemoneError({
    code: 'checkpoint.damaged',
    message: `the checkpoint is incomplete or damaged: ${reason}`,
    position: { file: path },
    hint: 'use another one of its folder',
  });
}
