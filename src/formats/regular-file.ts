// Reads a small file whole: a regular one, and not more than a bound of it. A path may come from a stranger's file,
// and a device or a pipe has no end. Large files are read in parts, through byte-source.ts.
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { AnemoneError } from '../errors/index.js';
import { fileSource, irregular, unreadable } from './byte-source.js';

/** How large a file may be, and how errors are named. */
export interface RegularFileOptions {
  /** Start of the codes of errors. Default `file`. */
  readonly prefix?: string | undefined;
  /** Bytes a file may have. Default 256 MiB. */
  readonly maxBytes?: number;
}

const MIB = 2 ** 20;
const DEFAULT_BYTES = 256 * MIB;
/** One call of the system reads less than 2 GiB. */
const MAX_PART = 2 ** 30;

/**
 * The bytes of a regular file.
 * @throws AnemoneError `<prefix>.missing` when there is none, `<prefix>.unreadable` (a device, pipe or folder among
 *   others), `<prefix>.too-large` beyond the bound; nothing was read then
 */
export async function readRegularFile(path: string, options: RegularFileOptions = {}): Promise<Uint8Array> {
  const { prefix = 'file', maxBytes = DEFAULT_BYTES } = options;
  const source = await fileSource(path, prefix);
  try {
    if (source.size > maxBytes) throw tooLarge(path, prefix, source.size, maxBytes);
    return await source.read(0, source.size);
  } catch (cause) {
    throw unreadable(path, prefix, cause);
  } finally {
    await source.close();
  }
}

/** The same without waiting, for tokenizers and other things that are made at once. */
export function readRegularFileSync(path: string, options: RegularFileOptions = {}): Uint8Array {
  const { prefix = 'file', maxBytes = DEFAULT_BYTES } = options;
  const handle = openRegular(path, prefix);
  try {
    const { size } = fstatSync(handle);
    if (size > maxBytes) throw tooLarge(path, prefix, size, maxBytes);
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const count = readSync(handle, bytes, filled, Math.min(size - filled, MAX_PART), filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } catch (cause) {
    throw unreadable(path, prefix, cause);
  } finally {
    closeSync(handle);
  }
}

function openRegular(path: string, prefix: string): number {
  try {
    // This is asked before opening: opening a pipe would wait for somebody to write into it.
    if (!statSync(path).isFile()) throw irregular(path, prefix);
    const handle = openSync(path, 'r');
    if (fstatSync(handle).isFile()) return handle;
    closeSync(handle);
  } catch (cause) {
    throw unreadable(path, prefix, cause);
  }
  throw irregular(path, prefix);
}

function tooLarge(file: string, prefix: string, size: number, maxBytes: number): AnemoneError {
  return new AnemoneError({
    code: `${prefix}.too-large`,
    message: `has ${size} bytes; such a file has at most ${maxBytes / MIB} MiB`,
    position: { file },
  });
}
