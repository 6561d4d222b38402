// safetensors files: a JSON header and raw little-endian tensors. Reading checks the header against the
// file before any tensor is touched: no gaps, no overlaps, sizes that match shapes. Nothing is executed.
import { AnemoneError, asText } from '../errors/index.js';
import type { ByteSource } from './byte-source.js';
import { fromBfloat16, fromFloat16 } from './float16.js';
import { parseJsonText } from './json-text.js';

/** Arrays that hold a tensor. F16 and BF16 are their 16-bit patterns, BOOL is a byte each. */
export type TensorData =
  | Float64Array
  | Float32Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Uint8Array
  | Int8Array;

export interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
}

const TYPES = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const satisfies Record<string, ArrayType>;

/** The types of numbers that a safetensors file may hold, by their names in its header. */
export type SafetensorsDtype = keyof typeof TYPES;

/** The array that holds numbers of a type. */
export function arrayTypeOf(dtype: SafetensorsDtype): ArrayType {
  return TYPES[dtype];
}

/** A tensor with its numbers, row-major. */
export interface SafeTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Where a tensor lies; offsets count from the end of the header. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** What a safetensors file says of its tensors, checked against the file's size. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** Byte offset of the first tensor. */
  readonly dataOffset: number;
}

/** The reference implementation refuses longer headers too. */
const MAX_HEADER = 100_000_000;

/**
 * The file as parts to be written one after the other; tensors are views of the given data, not copies.
 * @throws AnemoneError `safetensors.write` when data and shape disagree
 */
export function safetensorsParts(
  tensors: Iterable<readonly [name: string, tensor: SafeTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  // Wide types first, so that every tensor is aligned; then by name, so that equal content is equal bytes.
  const sortedTensors = [...tensors].sort(
    ([a, x], [b, y]) => widthOf(y.dtype) - widthOf(x.dtype) || (a < b ? -1 : a > b ? 1 : 0),
  );
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header['__metadata__'] = metadata;
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { dtype, shape, data }] of sortedTensors) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (data.length !== size || data.BYTES_PER_ELEMENT !== widthOf(dtype) || Object.hasOwn(header, name)) {
      throw new AnemoneError({
        code: 'safetensors.write',
        path: name,
        message: Object.hasOwn(header, name)
          ? 'the name is used twice'
          : `${data.length} values do not make a ${dtype} tensor of shape [${shape}]`,
      });
    }
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return [head, ...parts];
}

/** The whole file in memory. */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: SafeTensor]>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  return new Uint8Array(Buffer.concat(safetensorsParts(tensors, metadata)));
}

/**
 * Reads and checks the header.
 * @throws AnemoneError `safetensors.truncated`, `safetensors.corrupt`
 */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const fail = (kind: 'truncated' | 'corrupt', message: string) =>
    new AnemoneError({ code: `safetensors.${kind}`, message, position: { file: source.name } });
  const head = await source.read(0, 8);
  if (head.length < 8) throw fail('truncated', 'shorter than its header length');
  const length = Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER) throw fail('corrupt', `a header of ${length} bytes is not believable`);
  const bytes = await source.read(8, length);
  if (bytes.length < length) throw fail('truncated', `the header promises ${length} bytes and is cut off`);
  const position = { file: source.name };
  const json = parseJsonText(bytes, { code: 'safetensors.corrupt', position, what: 'the header' });
  if (!isRecord(json)) throw fail('corrupt', 'the header is not an object');
  const entries = new Map<string, SafetensorsEntry>();
  const metadata = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') {
      if (!isRecord(value) || Object.values(value).some((v) => typeof v !== 'string')) {
        throw fail('corrupt', 'metadata must map names to strings');
      }
      Object.assign(metadata, value);
      continue;
    }
    const entry = parseEntry(value);
    if (typeof entry === 'string') throw fail('corrupt', `tensor "${name}": ${entry}`);
    entries.set(name, entry);
  }
  const available = source.size - 8 - length;
  let expectedOffset = 0;
  for (const [name, entry] of [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== expectedOffset)
      throw fail('corrupt', `tensor "${name}" overlaps another or leaves a gap`);
    expectedOffset = entry.end;
  }
  if (expectedOffset > available)
    throw fail('truncated', `${expectedOffset} bytes of tensors are promised, ${available} are there`);
  if (expectedOffset < available)
    throw fail('corrupt', `${available - expectedOffset} bytes after the last tensor`);
  return { metadata, entries, dataOffset: 8 + length };
}

function parseEntry(value: unknown): SafetensorsEntry | string {
  if (!isRecord(value)) return 'not an object';
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(TYPES, dtype)) return `unknown dtype ${asText(dtype)}`;
  if (!isCounts(shape)) return 'shape is not a list of sizes';
  if (!isCounts(offsets) || offsets.length !== 2) return 'data_offsets is not a pair';
  const [start, end] = offsets;
  const bytes = shape.reduce((a, b) => a * b, 1) * widthOf(dtype as SafetensorsDtype);
  if (end - start !== bytes) return `${end - start} bytes do not hold ${dtype} [${shape}]`;
  return { dtype: dtype as SafetensorsDtype, shape, start, end };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);
}

function widthOf(dtype: SafetensorsDtype): number {
  return TYPES[dtype].BYTES_PER_ELEMENT;
}

/** One tensor's values, in memory of their own, or in `scratch`, as in `ByteSource.read`. */
export async function readSafetensor(
  source: ByteSource,
  header: SafetensorsHeader,
  name: string,
  scratch?: Uint8Array,
): Promise<SafeTensor> {
  const entry = header.entries.get(name);
  if (!entry) {
    throw new AnemoneError({
      code: 'safetensors.no-tensor',
      path: name,
      message: 'no such tensor',
      position: { file: source.name },
    });
  }
  const bytes = await source.read(header.dataOffset + entry.start, entry.end - entry.start, scratch);
  const width = widthOf(entry.dtype);
  const isScratch = bytes.buffer === scratch?.buffer;
  const mayStay =
    bytes.byteOffset % width === 0 && (isScratch || bytes.byteLength === bytes.buffer.byteLength);
  // Otherwise a copy: aligned, and not keeping a whole file alive for one tensor. (A Buffer's slice is no copy.)
  const kept = mayStay ? bytes : new Uint8Array(bytes);
  const Type: ArrayType = TYPES[entry.dtype];
  const data = new Type(kept.buffer, kept.byteOffset, kept.byteLength / width);
  return { dtype: entry.dtype, shape: entry.shape, data };
}

/** Every tensor of a file, in the file's order of offsets. */
export async function readSafetensors(
  source: ByteSource,
): Promise<{ metadata: Readonly<Record<string, string>>; tensors: Map<string, SafeTensor> }> {
  const header = await readSafetensorsHeader(source);
  const tensors = new Map<string, SafeTensor>();
  const byOffset = [...header.entries].sort(([, a], [, b]) => a.start - b.start);
  for (const [name] of byOffset) tensors.set(name, await readSafetensor(source, header, name));
  return { metadata: header.metadata, tensors };
}

/** A tensor's values as float32, whatever it is stored as. */
export function tensorToFloat32(tensor: SafeTensor): Float32Array {
  const { dtype, data } = tensor;
  if (dtype === 'F32') return data as Float32Array;
  if (dtype === 'F16') return fromFloat16(data as Uint16Array);
  if (dtype === 'BF16') return fromBfloat16(data as Uint16Array);
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
  return out;
}
