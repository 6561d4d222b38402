// A byte source read into memory from front to back, ahead of those who ask: for files that are wanted whole, whose
// bytes may then stay where they were read to. Not for files of which only parts are needed.
import type { ByteSource } from './byte-source.js';

/** Bytes of one read: so many that reading goes on while JavaScript is busy. */
const CHUNK = 1 << 25;
/** Reads under way at a time. */
const LANES = 3;
/** Bytes at either end that are read first: tables lie there, and would have to wait for all that is between. */
const END = 1 << 20;

/**
 * Begins to read at once, the ends first. What `read` gives are views of memory that stays valid, one piece of it for
 * all but the ends; scratch is not used. Closing stops the reading and leaves `source` open.
 */
export function readAhead(source: ByteSource, chunkBytes = CHUNK): ByteSource {
  const { size, name } = source;
  const bytes = new Uint8Array(size);
  const chunks: Promise<number>[] = [];
  let closed = false;

  /** Resolves to the bytes read, fewer than wanted if the file was cut meanwhile. */
  const begin = (index: number): Promise<number> => {
    const from = index * chunkBytes;
    const part = bytes.subarray(from, from + chunkBytes);
    const reading = source.read(from, part.length, part).then((chunk) => {
      if (chunk.buffer !== bytes.buffer) part.set(chunk);
      return chunk.length;
    });
    // Whoever needs the chunk awaits the promise and is told of its failure; nobody may need it, and then nothing is
    // wrong.
    reading.catch(() => {});
    chunks[index] = reading;
    return reading;
  };
  let next = 0;
  const ends = Promise.all([source.read(0, END), source.read(Math.max(0, size - END), END)]);
  const lane = async (): Promise<void> => {
    await ends;
    while (!closed && next * chunkBytes < size) {
      const index = next++;
      await (chunks[index] ?? begin(index));
    }
  };
  for (let i = 0; i < LANES; i++) lane().catch(() => {});

  return {
    size,
    name,
    resident: true,
    read: async (offset, length) => {
      const end = Math.min(size, offset + length);
      if (offset >= end) return new Uint8Array(0);
      const [head, tail] = await ends;
      if (end <= END) return head.subarray(offset, end);
      const tailFrom = Math.max(0, size - END);
      if (offset >= tailFrom) return tail.subarray(offset - tailFrom, end - tailFrom);
      const last = Math.floor((end - 1) / chunkBytes);
      for (let index = Math.floor(offset / chunkBytes); index <= last; index++) {
        const wantedBytes = Math.min(chunkBytes, size - index * chunkBytes);
        const readBytes = await (chunks[index] ?? begin(index));
        if (readBytes < wantedBytes)
          return bytes.subarray(offset, Math.max(offset, Math.min(end, index * chunkBytes + readBytes)));
      }
      return bytes.subarray(offset, end);
    },
    close: async () => {
      closed = true;
    },
  };
}
