// A stretch of a byte source as a source of its own: a member of an archive, read where it lies.
import type { ByteSource } from './byte-source.js';

/** Closing it does nothing: the source belongs to whoever opened it. */
export function windowOf(source: ByteSource, offset: number, size: number, name: string): ByteSource {
  return {
    size,
    name,
    read: (from, length, scratch) =>
      source.read(offset + from, Math.max(0, Math.min(length, size - from)), scratch),
    close: async () => {},
  };
}
