// Megatron's indexed datasets: PREFIX.bin has tokens back to back, PREFIX.idx says where sequences and documents begin. Sets
// are larger than memory: tokens are read where they are asked for, of the index lengths and offsets alone are held.
import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AnemoneError } from '../errors/index.js';
import { type ByteSource, fileSource } from './byte-source.js';
import { makeFolder } from './make-folder.js';

const MAGIC = 'MMIDIDX\0\0';
const OLD_MAGIC = 'TNTIDX\0\0';
const VERSION = 1;
const HEADER = 34;
/** Vocabularies below it have tokens of two bytes. */
const MOST_UINT16 = 65_500;
const FLUSHED = 2 ** 20;

/** Types of tokens by their code, and their bytes. */
const TYPES = {
  1: { name: 'uint8', bytes: 1, read: (v: DataView, at: number) => v.getUint8(at) },
  2: { name: 'int8', bytes: 1, read: (v: DataView, at: number) => v.getInt8(at) },
  3: { name: 'int16', bytes: 2, read: (v: DataView, at: number) => v.getInt16(at, true) },
  4: { name: 'int32', bytes: 4, read: (v: DataView, at: number) => v.getInt32(at, true) },
  5: { name: 'int64', bytes: 8, read: (v: DataView, at: number) => Number(v.getBigInt64(at, true)) },
  8: { name: 'uint16', bytes: 2, read: (v: DataView, at: number) => v.getUint16(at, true) },
} as const;
type TypeCode = keyof typeof TYPES;

/** Tokens of an open set. */
export class IndexedDataset {
  private constructor(
    /** Path without .bin and .idx. */
    readonly prefix: string,
    /** Tokens of each sequence. */
    readonly lengths: Int32Array,
    private readonly offsets: Float64Array,
    /** Number of the first sequence of each document, and of all sequences at the end. */
    readonly documents: Float64Array,
    private readonly type: (typeof TYPES)[TypeCode],
    private handle: number | undefined,
  ) {}

  /**
   * Opens PREFIX.bin and PREFIX.idx.
   * @throws AnemoneError `indexed.damaged`, `indexed.unsupported`, `indexed.missing`
   */
  static async open(prefix: string): Promise<IndexedDataset> {
    const source = await fileSource(`${prefix}.idx`, 'indexed');
    try {
      const { size } = await fileStat(`${prefix}.bin`);
      const { lengths, offsets, documents, type } = await readIndex(source, size);
      return new IndexedDataset(prefix, lengths, offsets, documents, type, openSync(`${prefix}.bin`, 'r'));
    } finally {
      await source.close();
    }
  }

  /** Name of the type of its tokens, as NumPy has it. */
  get dtype(): string {
    return this.type.name;
  }

  /** Tokens of all sequences. */
  get tokens(): number {
    return this.lengths.reduce((a, b) => a + b, 0);
  }

  /**
   * Reads tokens of a sequence.
   * @param count default: to its end
   * @throws AnemoneError `indexed.damaged`, `indexed.closed`
   */
  read(sequence: number, offset = 0, count = this.lengths[sequence] - offset): Int32Array {
    const { bytes, read } = this.type;
    if (this.handle === undefined)
      throw new AnemoneError({ code: 'indexed.closed', message: `${this.prefix}.bin is closed` });
    const data = new Uint8Array(count * bytes);
    let filled = 0;
    while (filled < data.length) {
      const at = this.offsets[sequence] + offset * bytes + filled;
      const got = readSync(this.handle, data, filled, data.length - filled, at);
      if (got === 0) throw damaged(`${this.prefix}.bin`, 'the file has become shorter');
      filled += got;
    }
    const view = new DataView(data.buffer);
    return Int32Array.from({ length: count }, (_, i) => read(view, i * bytes));
  }

  /** Closes the file of tokens. */
  close(): void {
    if (this.handle !== undefined) closeSync(this.handle);
    this.handle = undefined;
  }
}

async function fileStat(path: string): Promise<{ readonly size: number }> {
  try {
    return await stat(path);
  } catch (cause) {
    throw new AnemoneError({
      code: 'indexed.missing',
      position: { file: path },
      message: 'no such file, though its .idx is there',
      cause,
    });
  }
}

interface Index {
  readonly lengths: Int32Array;
  readonly offsets: Float64Array;
  readonly documents: Float64Array;
  readonly type: (typeof TYPES)[TypeCode];
}

async function readIndex(source: ByteSource, binSize: number): Promise<Index> {
  const file = source.name;
  const head = await source.read(0, Math.min(HEADER, source.size));
  const magic = new TextDecoder('latin1').decode(head.subarray(0, 9));
  if (magic.startsWith(OLD_MAGIC))
    throw unsupported(file, 'the format before Megatron’s mmap', 'preprocess the text again with --dataset-impl mmap'); // biome-ignore format: one line
  if (magic !== MAGIC) throw damaged(file, 'this is no index of Megatron’s');
  if (head.length < HEADER) throw damaged(file, 'the file ends within its header');
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = Number(view.getBigUint64(9, true));
  if (version !== VERSION) throw unsupported(file, `version ${version} of the index`, 'version 1 is read');
  const code = view.getUint8(17);
  if (!Object.hasOwn(TYPES, code))
    throw unsupported(file, `tokens of type ${code}`, 'they are whole numbers');
  const type = TYPES[code as TypeCode];
  const [sequences, boundaries] = [18, 26].map((at) => Number(view.getBigUint64(at, true)));
  const size = HEADER + 12 * sequences + 8 * boundaries;
  // Modes of multimodal sets may follow, a byte a sequence.
  if (!Number.isSafeInteger(size) || (source.size !== size && source.size !== size + sequences))
    throw damaged(file, `${sequences} sequences and ${boundaries} boundaries of documents take ${size} bytes, the file has ${source.size}`); // biome-ignore format: one line
  const lengths = new Int32Array((await copyOf(source, HEADER, 4 * sequences)).buffer);
  const offsets = wholeNumbers(await copyOf(source, HEADER + 4 * sequences, 8 * sequences));
  const documents = wholeNumbers(await copyOf(source, HEADER + 12 * sequences, 8 * boundaries));
  for (let i = 0; i < sequences; i++) {
    const isInside = lengths[i] >= 0 && offsets[i] >= 0 && offsets[i] + lengths[i] * type.bytes <= binSize;
    if (!isInside) throw damaged(file, `sequence ${i} (${lengths[i]} tokens from byte ${offsets[i]}) lies outside of the .bin of ${binSize} bytes`); // biome-ignore format: one line
  }
  for (let i = 0; i < boundaries; i++)
    if (!(documents[i] >= (i > 0 ? documents[i - 1] : 0) && documents[i] <= sequences))
      throw damaged(file, `document ${i} begins at sequence ${documents[i]} of ${sequences}`);
  return { lengths, offsets, documents, type };
}

/** Bytes in memory of their own, where numbers are aligned. */
async function copyOf(source: ByteSource, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  return length === 0 ? new Uint8Array(0) : new Uint8Array(await source.read(offset, length)).slice();
}

function wholeNumbers(bytes: Uint8Array<ArrayBuffer>): Float64Array {
  return Float64Array.from(new BigInt64Array(bytes.buffer, 0, bytes.byteLength / 8), Number);
}

/** Writes a set, sequence by sequence; it appears whole or not at all. */
export class IndexedDatasetWriter {
  private readonly lengths = new Numbers();
  private readonly documents = new Numbers();
  private sequence = 0;
  private readonly buffer = new Uint8Array(FLUSHED);
  private filled = 0;

  private constructor(
    private readonly prefix: string,
    private readonly code: 4 | 8,
    private readonly handle: FileHandle,
  ) {
    this.documents.push(0);
  }

  /**
   * Begins a set under hidden names.
   * @param vocabSize says how many bytes a token takes: two below 65,500, four from there on
   * @throws AnemoneError `indexed.cannot-write`
   */
  static async create(prefix: string, vocabSize: number): Promise<IndexedDatasetWriter> {
    try {
      makeFolder(dirname(prefix));
      const handle = await open(partial(prefix, 'bin'), 'w');
      return new IndexedDatasetWriter(prefix, vocabSize < MOST_UINT16 ? 8 : 4, handle);
    } catch (cause) {
      throw cannotWrite(prefix, cause);
    }
  }

  /** Sequences that have been ended. */
  get sequences(): number {
    return this.lengths.count;
  }

  /** Adds tokens to the sequence that is being written. */
  async add(tokens: ArrayLike<number>): Promise<void> {
    const bytes = this.code === 8 ? 2 : 4;
    for (let start = 0; start < tokens.length; ) {
      const count = Math.min(tokens.length - start, Math.floor((FLUSHED - this.filled) / bytes));
      const Row = bytes === 2 ? Uint16Array : Int32Array;
      const out = new Row(this.buffer.buffer, this.filled, count);
      for (let i = 0; i < count; i++) out[i] = tokens[start + i];
      start += count;
      this.filled += count * bytes;
      if (this.filled === FLUSHED) await this.flush();
    }
    this.sequence += tokens.length;
  }

  /** Ends the sequence. @throws AnemoneError `indexed.too-long` beyond 2^31 tokens, which the index cannot say */
  endSequence(): void {
    if (this.sequence > 0x7fffffff)
      throw new AnemoneError({
        code: 'indexed.too-long',
        message: `a document of ${this.sequence} tokens is longer than an index can say`,
        hint: 'cut it into several documents',
      });
    this.lengths.push(this.sequence);
    this.sequence = 0;
  }

  /** Ends the document: what comes next is another. */
  endDocument(): void {
    this.documents.push(this.lengths.count);
  }

  /** Puts both files in place. @throws AnemoneError `indexed.cannot-write` */
  async finish(): Promise<void> {
    try {
      await this.flush();
      await this.handle.sync();
      await this.handle.close();
      const index = await open(partial(this.prefix, 'idx'), 'w');
      try {
        for (const part of indexParts(this.code, this.lengths.values(), this.documents.values()))
          await index.writeFile(part);
        await index.sync();
      } finally {
        await index.close();
      }
      // An old index must not speak of the new tokens, should the machine stop between the two.
      await rm(`${this.prefix}.idx`, { force: true });
      await rename(partial(this.prefix, 'bin'), `${this.prefix}.bin`);
      await rename(partial(this.prefix, 'idx'), `${this.prefix}.idx`);
    } catch (cause) {
      await this.discard();
      throw cannotWrite(this.prefix, cause);
    }
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => {});
    for (const kind of ['bin', 'idx']) await rm(partial(this.prefix, kind), { force: true }).catch(() => {});
  }

  private async flush(): Promise<void> {
    if (this.filled === 0) return;
    try {
      await this.handle.writeFile(this.buffer.subarray(0, this.filled));
    } catch (cause) {
      throw cannotWrite(this.prefix, cause);
    }
    this.filled = 0;
  }
}

/** Parts of an .idx; offsets follow from lengths. */
function* indexParts(code: 4 | 8, lengths: Float64Array, documents: Float64Array): Generator<Uint8Array> {
  const head = new Uint8Array(HEADER);
  head.set(Buffer.from(MAGIC, 'latin1'));
  const view = new DataView(head.buffer);
  view.setBigUint64(9, BigInt(VERSION), true);
  view.setUint8(17, code);
  view.setBigUint64(18, BigInt(lengths.length), true);
  view.setBigUint64(26, BigInt(documents.length), true);
  yield head;
  yield new Uint8Array(Int32Array.from(lengths).buffer);
  let offset = 0n;
  const width = BigInt(TYPES[code].bytes);
  yield bytesOf64(lengths, (length) => {
    const start = offset;
    offset += BigInt(length) * width;
    return start;
  });
  yield bytesOf64(documents, BigInt);
}

function bytesOf64(numbers: Float64Array, value: (number: number) => bigint): Uint8Array {
  const out = new BigInt64Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) out[i] = value(numbers[i]);
  return new Uint8Array(out.buffer);
}

/** A list that grows, at 8 bytes a number. */
class Numbers {
  count = 0;
  private data = new Float64Array(1024);

  push(value: number): void {
    if (this.count === this.data.length) {
      const larger = new Float64Array(2 * this.count);
      larger.set(this.data);
      this.data = larger;
    }
    this.data[this.count++] = value;
  }

  values(): Float64Array {
    return this.data.subarray(0, this.count);
  }
}

function partial(prefix: string, kind: string): string {
  return `${prefix}.${kind}.partial`;
}

function cannotWrite(prefix: string, cause: unknown): AnemoneError {
  if (cause instanceof AnemoneError) return cause;
  const message = `cannot write the data set: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new AnemoneError({ code: 'indexed.cannot-write', position: { file: prefix }, message, cause });
}

function damaged(file: string, message: string): AnemoneError {
  return new AnemoneError({
    code: 'indexed.damaged',
    position: { file },
    message,
    hint: 'write it again with anemone preprocess',
  });
}

function unsupported(file: string, what: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'indexed.unsupported', position: { file }, message: `${what} is not supported`, hint }); // biome-ignore format: one line
}
