// Features on disk, one file an utterance. A file is found by what it was made from (front end, path,
// segment, size and time of the recording), so that changing any of them makes a new one. Files are written
// under another name and renamed: a reader sees a whole file or none.
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { MelFrontEnd, nemoFrontEndConfig } from '../../../audio/index.js';
import { AnemoneError } from '../../../errors/index.js';
import { makeFolder } from '../../../formats/index.js';
import type { PipelineConfig, UtteranceRef } from './task.js';

/** Raise when the computation of features changes. */
const VERSION = 1;
const MAGIC = 0x464d4e41; // "ANMF"
const HEADER_BYTES = 16;

export interface CachedFeatures {
  /** [frames, bins] */
  readonly features: Float32Array;
  readonly frames: number;
  /** See `Features`. */
  readonly columns: number;
}

/** The subfolder of `root` that belongs to this front end. */
export function cacheFolder(root: string, config: PipelineConfig): string {
  const { frontEnd, channelSelector, resampler = 'best', trimSilence } = config;
  const tables = frontEnd instanceof MelFrontEnd ? frontEnd.tables : undefined;
  const facts = {
    version: VERSION,
    frontEnd: nemoFrontEndConfig(frontEnd) ?? frontEnd.toWorker?.(),
    channelSelector: channelSelector ?? 'average',
    ...(resampler === 'best' ? {} : { resampler }),
    ...(trimSilence ? { trimSilence } : {}),
    tables: tables && Object.entries(tables).map(([name, table]) => [name, digest(table)]),
  };
  return join(root, digest(JSON.stringify(facts, sortedKeys)).slice(0, 16));
}

export class FeatureCache {
  private written = 0;

  /** @param folder from `cacheFolder` */
  constructor(readonly folder: string) {}

  /** The file of an utterance. Undefined when its recording cannot be looked at. */
  async locate(item: UtteranceRef): Promise<string | undefined> {
    if (item.samples) return undefined;
    try {
      const { size, mtimeMs } = await stat(item.archive?.path ?? item.path);
      const key = digest(JSON.stringify([item.path, item.offset, item.duration ?? null, size, mtimeMs]));
      return join(this.folder, key.slice(0, 2), `${key.slice(2, 34)}.feat`);
    } catch {
      return undefined;
    }
  }

  /** What the file holds; undefined when there is none or it is not whole. */
  async read(file: string): Promise<CachedFeatures | undefined> {
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch {
      return undefined;
    }
    if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined;
    const frames = bytes.readUInt32LE(4);
    const bins = bytes.readUInt32LE(8);
    // Files that were written before this field existed have 0 columns there: they are made anew.
    const columns = bytes.readUInt32LE(12);
    if (columns < frames || bytes.length !== HEADER_BYTES + 4 * frames * bins) return undefined;
    const features = new Float32Array(frames * bins);
    new Uint8Array(features.buffer).set(bytes.subarray(HEADER_BYTES));
    return { features, frames, columns };
  }

  /**
   * Writes one file.
   * @returns its bytes
   * @throws AnemoneError `data.cache-write` (no permission, disk full)
   */
  async write(file: string, { features, frames, columns }: CachedFeatures): Promise<number> {
    const bytes = Buffer.alloc(HEADER_BYTES + features.byteLength);
    bytes.writeUInt32LE(MAGIC, 0);
    bytes.writeUInt32LE(frames, 4);
    bytes.writeUInt32LE(frames === 0 ? 0 : features.length / frames, 8);
    bytes.writeUInt32LE(columns, 12);
    bytes.set(new Uint8Array(features.buffer, features.byteOffset, features.byteLength), HEADER_BYTES);
    const temporary = `${file}.${process.pid}-${threadId}-${this.written++}.tmp`;
    try {
      makeFolder(dirname(file));
      await writeFile(temporary, bytes);
      await rename(temporary, file);
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw new AnemoneError({
        code: 'data.cache-write',
        message: `cannot write to the feature cache: ${(cause as Error).message}`,
        position: { file },
        hint: 'free space, choose another feature_cache folder, or leave the key out',
        cause,
      });
    }
    return bytes.length;
  }
}

/** Bytes under a cache root, of all front ends. */
export async function cacheSize(root: string): Promise<number> {
  let total = 0;
  let names: { parentPath?: string; path?: string; name: string; isFile(): boolean }[];
  try {
    names = await readdir(root, { recursive: true, withFileTypes: true });
  } catch {
    return 0;
  }
  for (const entry of names) {
    if (!entry.isFile()) continue;
    const { size } = await stat(join(entry.parentPath ?? entry.path ?? root, entry.name)).catch(() => ({
      size: 0,
    }));
    total += size;
  }
  return total;
}

function digest(data: string | Float32Array): string {
  const bytes =
    typeof data === 'string' ? data : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
