// Reads checkpoints and refuses damaged ones: every file is compared with the manifest's size and hash.
import { createHash } from 'node:crypto';
import { lstat, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Config, configFromText, parseJson, readJson } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  COPY_LINKED,
  isLinked,
  memorySource,
  readRegularFile,
  readSafetensors,
  type SafeTensor,
} from '../../formats/index.js';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_VERSION,
  type CheckpointManifest,
  type CheckpointState,
  plainSegments,
} from './content.js';
import { manifestShape, stateShape } from './shapes.js';

const TENSORS = '.safetensors';
const ARTIFACTS = 'artifacts/';
/** Files without which nothing can go on. */
const NEEDED = [`weights${TENSORS}`, `optimizer${TENSORS}`, 'config.yaml'];

/** A checkpoint that was found complete; tensors are read when asked for. */
export class Checkpoint {
  private constructor(
    readonly path: string,
    readonly state: CheckpointState,
    readonly created: string,
    private readonly manifest: CheckpointManifest,
  ) {}

  private verified: Promise<void> | undefined;

  /**
   * Opens a checkpoint: reads manifest and state and compares the sizes of the other files.
   * @throws AnemoneError `checkpoint.missing`, `checkpoint.damaged`, `checkpoint.version`
   */
  static async open(path: string): Promise<Checkpoint> {
    const manifest = await readManifest(path);
    for (const file of Object.keys(manifest.files)) await checkFile(path, file, manifest);
    const state = await readState(path, manifest);
    return new Checkpoint(path, state, manifest.created, manifest);
  }

  /** Compares every file with its hash, and reads it as what it should be. @throws AnemoneError `checkpoint.damaged` */
  verify(): Promise<void> {
    this.verified ??= this.readAll();
    return this.verified;
  }

  /** Whether the checkpoint has a file of tensors of this name, such as `weights` or `ema`. */
  has(group: string): boolean {
    return Object.hasOwn(this.manifest.files, `${group}.safetensors`);
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
    return configOf(bytes, join(this.path, 'config.yaml'));
  }

  private async readAll(): Promise<void> {
    const files = Object.keys(this.manifest.files);
    const lackingFile = NEEDED.find((file) => !files.includes(file));
    if (lackingFile !== undefined) throw damaged(this.path, `${lackingFile} is not in the manifest`);
    for (const file of files) {
      const bytes = await readChecked(this.path, file, this.manifest);
      const source = join(this.path, file);
      if (file === 'config.yaml') await orDamaged(this.path, async () => configOf(bytes, source));
      if (file.endsWith(TENSORS) && !file.startsWith(ARTIFACTS)) {
        await orDamaged(this.path, () => readSafetensors(memorySource(bytes, source)));
      }
    }
  }

  /** The model's own files by name. */
  async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    const artifacts = new Map<string, Uint8Array>();
    for (const file of Object.keys(this.manifest.files)) {
      if (!file.startsWith(ARTIFACTS)) continue;
      artifacts.set(file.slice(ARTIFACTS.length), await readChecked(this.path, file, this.manifest));
    }
    return artifacts;
  }
}

function configOf(bytes: Uint8Array, file: string): Config {
  return configFromText(new TextDecoder().decode(bytes), [], { file });
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
  const file = join(path, 'manifest.json');
  await refuseLink(path, ['manifest.json']);
  const manifest = await orDamaged(path, () => readJson(file, manifestShape, { code: 'checkpoint.damaged' }));
  if (manifest.format !== CHECKPOINT_FORMAT) throw damaged(path, 'manifest.json is of something else');
  if (manifest.version !== CHECKPOINT_VERSION) {
    throw new AnemoneError({
      code: 'checkpoint.version',
      message: `written in format ${manifest.version}, this version reads ${CHECKPOINT_VERSION}`,
      position: { file: path },
    });
  }
  return manifest as CheckpointManifest;
}

async function readState(path: string, manifest: CheckpointManifest): Promise<CheckpointState> {
  const bytes = await readChecked(path, 'state.json', manifest);
  const options = { code: 'checkpoint.damaged', position: { file: join(path, 'state.json') } };
  const state = await orDamaged(path, async () => parseJson(bytes, stateShape, options));
  return withoutNulls(state) as unknown as CheckpointState;
}

async function refuseLink(path: string, segments: readonly string[]): Promise<void> {
  if (!(await isLinked(path, segments))) return;
  throw new AnemoneError({
    code: 'checkpoint.damaged',
    message: `${segments.join('/')} of the checkpoint is a link; a checkpoint holds its files itself`,
    position: { file: path },
    hint: COPY_LINKED,
  });
}

/** Compares a file's size, after making sure that it lies in the checkpoint: a stranger's may name or link others. */
async function checkFile(path: string, file: string, manifest: CheckpointManifest): Promise<number> {
  const record = Object.hasOwn(manifest.files, file) ? manifest.files[file] : undefined;
  if (!record) throw damaged(path, `${file} is not in the manifest`);
  const segments = plainSegments(file);
  if (!segments) throw damaged(path, `${JSON.stringify(file)} is no name of a file in it`);
  await refuseLink(path, segments);
  const info = await lstat(join(path, ...segments)).catch(() => undefined);
  if (!info) throw damaged(path, `${file} is missing`);
  if (!info.isFile()) throw damaged(path, `${file} is not a regular file`);
  if (info.size !== record.bytes)
    throw damaged(path, `${file} has ${info.size} bytes, ${record.bytes} were written`);
  return record.bytes;
}

async function readChecked(path: string, file: string, manifest: CheckpointManifest): Promise<Buffer> {
  const maxBytes = await checkFile(path, file, manifest);
  const { buffer, byteOffset, byteLength } = await orDamaged(path, () =>
    readRegularFile(join(path, file), { maxBytes }),
  );
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  if (createHash('sha256').update(bytes).digest('hex') !== manifest.files[file].sha256) {
    throw damaged(path, `${file} is not what was written`);
  }
  return bytes;
}

/** What `read` gives; its errors as those of the checkpoint. */
async function orDamaged<T>(path: string, readFile: () => Promise<T>): Promise<T> {
  try {
    return await readFile();
  } catch (error) {
    if (!(error instanceof AnemoneError)) throw error;
    const file = basename(error.position?.file ?? '');
    throw damaged(path, `${file}: ${error.path ? `${error.path}: ` : ''}${error.reason}`, error);
  }
}

/** What earlier versions did not write is absent. */
function withoutNulls(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== null));
}

/** The error for a checkpoint that cannot be used. */
export function damaged(path: string, reason: string, cause?: unknown): AnemoneError {
  return new AnemoneError({
    code: 'checkpoint.damaged',
    message: `the checkpoint is incomplete or damaged: ${reason}`,
    position: { file: path },
    hint: 'use another one of its folder',
    cause,
  });
}
