// Bytes by position, of a file or of memory.
import { type FileHandle, open, stat as statOf } from 'node:fs/promises';
import { AnemoneError } from '../errors/index.js';

/**
 * Random access to bytes that may lie in memory or in a file, so that a reader of a format can take the few parts it
 * needs. Not a stream: the size is known and every read names its place.
 */
export interface ByteSource {
  /** Total bytes. */
  readonly size: number;
  /** File name (or a label for bytes in memory) that errors carry. */
  readonly name: string;
  /** Whether what `read` gives without scratch are views of one memory, which stay valid and are nobody else's. */
  readonly resident?: boolean;
  /**
   * Up to `length` bytes from `offset`; fewer at the end, none beyond it.
   * @param scratch memory that may be used for them, if they fit; they are then valid until it is used again
   */
  read(offset: number, length: number, scratch?: Uint8Array): Promise<Uint8Array>;
  /** Gives back the file, if there is one; nothing can be read afterwards. */
  close(): Promise<void>;
}

/** Bytes in memory; reads are views. */
export function memorySource(bytes: Uint8Array, name = '<bytes>'): ByteSource {
  return {
    size: bytes.length,
    name,
    read: async (offset, length) => bytes.subarray(Math.min(offset, bytes.length), offset + length),
    close: async () => {},
  };
}

/** Bytes of one read; no tensor and no recording is as large, and Node has no arrays much larger. */
const MAX_READ = 2 ** 32;

/**
 * Opens a regular file.
 * @throws AnemoneError `<prefix>.missing` when there is none, `<prefix>.unreadable` otherwise; its `read`
 *   `<prefix>.too-large` for 4 GiB and more at once
 */
export async function fileSource(path: string, prefix = 'file'): Promise<ByteSource> {
  let handle: FileHandle;
  try {
    // This is asked before opening: opening a pipe would wait for somebody to write into it.
    if (!(await statOf(path)).isFile()) throw irregular(path, prefix);
    handle = await open(path, 'r');
  } catch (cause) {
    throw unreadable(path, prefix, cause);
  }
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw irregular(path, prefix);
  }
  return {
    size: stat.size,
    name: path,
    read: async (offset, length, scratch) => {
      const wantedLength = Math.max(0, Math.min(length, stat.size - offset));
      if (wantedLength > MAX_READ) throw tooLarge(path, prefix, wantedLength);
      const fits = scratch !== undefined && scratch.length >= wantedLength;
      const bytes = fits ? scratch.subarray(0, wantedLength) : new Uint8Array(wantedLength);
      let filled = 0;
      while (filled < wantedLength) {
        // Yarn's Plug'n'Play puts its own `read` before Node's, which takes buffers in an object only.
        const { bytesRead } = await handle.read({
          buffer: bytes,
          offset: filled,
          length: wantedLength - filled,
          position: offset + filled,
        });
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled === wantedLength ? bytes : bytes.subarray(0, filled);
    },
    close: () => handle.close(),
  };
}

/** The error for a path that is no regular file. */
export function irregular(file: string, prefix: string): AnemoneError {
  return new AnemoneError({
    code: `${prefix}.unreadable`,
    message: 'is not a regular file',
    position: { file },
  });
}

/** The error for what the file system said of a path; errors of ours stay as they are. */
export function unreadable(file: string, prefix: string, cause: unknown): AnemoneError {
  if (cause instanceof AnemoneError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  // A name of a stranger's may hold a NUL, which no file system has.
  const isMissing = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ERR_INVALID_ARG_VALUE';
  return new AnemoneError({
    code: `${prefix}.${isMissing ? 'missing' : 'unreadable'}`,
    message: isMissing ? 'no such file' : `cannot be opened (${code})`,
    position: { file },
    cause,
  });
}

function tooLarge(file: string, prefix: string, bytes: number): AnemoneError {
  return new AnemoneError({
    code: `${prefix}.too-large`,
    message: `${bytes} bytes cannot be read at once`,
    position: { file },
  });
}
