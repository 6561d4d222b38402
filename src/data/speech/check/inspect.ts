// Looks at recordings: headers, or with `deep` every sample. Runs in worker threads.
import { createHash } from 'node:crypto';
import { type AudioFormat, audioBlocks, audioInfo, decodeAudio, MAX_SECONDS } from '../../../audio/index.js';
import { AnemoneError } from '../../../errors/index.js';
import { fileSource } from '../../../formats/index.js';

const PART = 2 ** 22;

export interface InspectTask {
  readonly paths: readonly string[];
  /** Decode everything and compare contents. */
  readonly deep: boolean;
}

/** What was seen of one recording; `error` when it cannot be used. */
export interface Inspection {
  readonly path: string;
  readonly format?: AudioFormat;
  /** Hz. */
  readonly sampleRate?: number;
  readonly channels?: number;
  /** Seconds. */
  readonly duration?: number | undefined;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly error?: { readonly code: string; readonly message: string };
  /** Hash of the file's bytes; with `deep` only. */
  readonly digest?: string;
}

export async function inspect({ paths, deep }: InspectTask): Promise<Inspection[]> {
  const inspections: Inspection[] = [];
  for (const path of paths) inspections.push(await inspectOne(path, deep));
  return inspections;
}

async function inspectOne(path: string, deep: boolean): Promise<Inspection> {
  try {
    const info = await audioInfo(path);
    const header: Inspection = {
      path,
      format: info.format,
      sampleRate: info.sampleRate,
      channels: info.channels,
      duration: info.duration,
      warnings: info.warnings,
    };
    if (!deep) return header;
    const digest = await digestOf(path);
    if (info.duration !== undefined && info.duration > MAX_SECONDS) {
      return { ...header, duration: await heard(path, info.sampleRate), digest };
    }
    const decoded = await decodeAudio(path);
    return { ...header, duration: decoded.duration, warnings: decoded.warnings, digest };
  } catch (error) {
    if (!(error instanceof AnemoneError)) throw error;
    return { path, warnings: [], error: { code: error.code, message: error.message } };
  }
}

/** Hash of a file's bytes, which are read in parts. */
async function digestOf(path: string): Promise<string> {
  const source = await fileSource(path, 'audio');
  try {
    const hash = createHash('sha1');
    for (let at = 0; at < source.size; at += PART) hash.update(await source.read(at, PART));
    return hash.digest('hex');
  } finally {
    await source.close();
  }
}

/** Seconds of a recording that is too long to be in memory at once. */
async function heard(path: string, sampleRate: number): Promise<number> {
  let samples = 0;
  for await (const block of audioBlocks(path)) samples += block.length;
  return samples / sampleRate;
}
