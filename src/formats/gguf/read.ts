// GGUF, the files of llama.cpp: metadata by key, and tensors that may be quantized in blocks. Nothing is trusted: sizes are
// checked against the file before anything is read.
import { AnemoneError } from '../../errors/index.js';
import type { ByteSource } from '../byte-source.js';
import { type BlockType, blockTypes } from './blocks.js';

/** A value of the metadata. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

/** A tensor as the file lists it. */
export interface GgufTensor {
  /** Row-major, the file's order of axes turned round. */
  readonly shape: readonly number[];
  readonly type: BlockType;
  /** Bytes from the start of the file. */
  readonly offset: number;
}

/** An open GGUF file: metadata, and tensors that are read when they are asked for. */
export interface GgufFile {
  readonly name: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /**
   * A tensor's numbers.
   * @param into where they are written, if they fit there exactly. Default: memory of their own
   * @throws AnemoneError `gguf.no-tensor`
   */
  read(name: string, into?: Float32Array): Promise<Float32Array>;
}

/** Headers with vocabularies have some MiB. */
const FIRST_READ = 1 << 24;
const MOST_HEADER = 1 << 29;
const MOST_ENTRIES = 1 << 20;

/**
 * Reads the metadata and the list of tensors of a GGUF file; tensors are read when they are asked for.
 * @throws AnemoneError `gguf.damaged`, `gguf.unsupported`
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  for (let size = FIRST_READ; ; size *= 4) {
    const header = new HeaderReader(await source.read(0, size), source.name);
    try {
      return fileOf(header, source);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (size >= source.size || size > MOST_HEADER)
        throw damaged(source.name, 'the file ends within its header');
    }
  }
}

function fileOf(header: HeaderReader, source: ByteSource): GgufFile {
  if (header.u32() !== 0x46554747) throw damaged(source.name, 'this is no GGUF file');
  const version = header.u32();
  if (version !== 2 && version !== 3)
    throw unsupported(source.name, `version ${version} of GGUF`, '2 and 3 are read');
  const [tensorCount, keyCount] = [header.count(), header.count()];
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = header.text();
    metadata.set(key, header.value(header.u32()));
  }
  const listed: [string, { dims: number[]; type: number; offset: number }][] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = header.text();
    const axes = header.u32();
    if (axes > 4) throw damaged(source.name, `${name} has ${axes} axes`);
    const dims = Array.from({ length: axes }, () => header.u64());
    listed.push([name, { dims, type: header.u32(), offset: header.u64() }]);
  }
  const alignment = Number(metadata.get('general.alignment') ?? 32);
  if (!(alignment > 0)) throw damaged(source.name, `an alignment of ${alignment}`);
  const start = Math.ceil(header.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const [name, { dims, type, offset }] of listed) {
    const known = blockTypes.get(type);
    if (!known) throw unsupported(source.name, `${name} is of type ${type}`, `read are ${[...blockTypes.values()].map((t) => t.name).join(', ')}`); // biome-ignore format: one line
    const size = dims.reduce((a, b) => a * b, 1);
    const bytes = (size / known.numbers) * known.bytes;
    if (size % known.numbers !== 0 || !(start + offset + bytes <= source.size))
      throw damaged(source.name, `${name} [${dims.join(', ')}] lies outside of the file`);
    tensors.set(name, { shape: dims.reverse(), type: known, offset: start + offset });
  }
  const read = async (name: string, into?: Float32Array): Promise<Float32Array> => {
    const tensor = tensors.get(name);
    if (tensor) return numbersOf(tensor, source, into);
    throw new AnemoneError({ code: 'gguf.no-tensor', path: name, position: { file: source.name }, message: 'no such tensor' }); // biome-ignore format: one line
  };
  return { name: source.name, metadata, tensors, read };
}

async function numbersOf(
  { shape, type, offset }: GgufTensor,
  source: ByteSource,
  into?: Float32Array,
): Promise<Float32Array> {
  const count = shape.reduce((a, b) => a * b, 1);
  const blocks = await source.read(offset, (count / type.numbers) * type.bytes);
  const out = into?.length === count ? into : new Float32Array(count);
  type.decode(blocks, out);
  return out;
}

/** Reads beyond its bytes are RangeErrors, as DataView's are: more of the file is needed, or there is none. */
class HeaderReader {
  at = 0;
  private readonly view: DataView;
  private readonly buffer: Buffer;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  u64(): number {
    const value = Number(this.view.getBigUint64(this.skip(8), true));
    if (Number.isSafeInteger(value)) return value;
    throw damaged(this.file, `a size of ${value}`);
  }

  count(): number {
    const count = this.u64();
    if (count <= MOST_ENTRIES) return count;
    throw damaged(this.file, `${count} entries`);
  }

  text(): string {
    const length = this.u64();
    const start = this.skip(length);
    if (this.at > this.bytes.length) throw new RangeError('text');
    // A decoder of its own for each of many short texts would be most of the work; and it would take a mark off their beginnings.
    return this.buffer.toString('utf8', start, start + length);
  }

  value(type: number, depth = 0): GgufValue {
    const { view } = this;
    if (type === 0) return view.getUint8(this.skip(1));
    if (type === 1) return view.getInt8(this.skip(1));
    if (type === 2) return view.getUint16(this.skip(2), true);
    if (type === 3) return view.getInt16(this.skip(2), true);
    if (type === 4) return this.u32();
    if (type === 5) return view.getInt32(this.skip(4), true);
    if (type === 6) return view.getFloat32(this.skip(4), true);
    if (type === 7) return view.getUint8(this.skip(1)) !== 0;
    if (type === 8) return this.text();
    if (type === 10) return view.getBigUint64(this.skip(8), true);
    if (type === 11) return view.getBigInt64(this.skip(8), true);
    if (type === 12) return view.getFloat64(this.skip(8), true);
    if (type !== 9 || depth > 3) throw damaged(this.file, `a value of type ${type}`);
    const inner = this.u32();
    const length = this.count();
    return Array.from({ length }, () => this.value(inner, depth + 1));
  }

  private skip(count: number): number {
    const start = this.at;
    this.at += count;
    return start;
  }
}

function damaged(file: string, message: string): AnemoneError {
  return new AnemoneError({ code: 'gguf.damaged', position: { file }, message });
}

function unsupported(file: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'gguf.unsupported', position: { file }, message: `${message}, which is not supported`, hint }); // biome-ignore format: one line
}
