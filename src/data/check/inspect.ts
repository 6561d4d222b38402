// Looks at recordings: headers, or with `deep` every sample. Runs in worker threads.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type AudioFormat, audioInfo, decodeAudio } from '../../audio/index.js';
import { AnemoneError } from '../../errors/index.js';

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
  readonly duration?: number;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly error?: { readonly code: string; readonly message: string };
  /** Of the file's bytes; with `deep` only. */
  readonly digest?: string;
}

export async function inspect({ paths, deep }: InspectTask): Promise<Inspection[]> {
  const seen: Inspection[] = [];
  for (const path of paths) seen.push(await inspectOne(path, deep));
  return seen;
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
    const bytes = await readFile(path);
    const digest = createHash('sha1').update(bytes).digest('hex');
    const decoded = await decodeAudio(path);
    return { ...header, duration: decoded.duration, warnings: decoded.warnings, digest };
  } catch (error) {
    if (!(error instanceof AnemoneError)) throw error;
    return { path, warnings: [], error: { code: error.code, message: error.message } };
  }
}
