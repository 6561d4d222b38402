// Zip archives (with zip64), as PyTorch writes them: entries stored uncompressed. Read where they lie, with the
// sizes that the table promises checked against the file; written aligned, so that tensors can be mapped.
import { crc32, inflateRaw } from 'node:zlib';
import { AnemoneError } from '../errors/index.js';
import type { ByteSource } from './byte-source.js';

export interface ZipEntry {
  readonly name: string;
  readonly method: 'stored' | 'deflated';
  /** Bytes in the file. */
  readonly packed: number;
  /** Bytes unpacked. */
  readonly size: number;
  readonly crc: number;
  /** Place of the local header in the file. */
  readonly header: number;
}

const MAX_ENTRIES = 1_000_000;
const MAX_TABLE = 1 << 28;
/** Deflate cannot do better than this; what promises more is a lie. */
const MAX_DEFLATE_RATIO = 1032;
/** Weights hardly compress: entries that together unpack to more than this times the file are a bomb. */
const MAX_GROWTH = 64;
const FREE_GROWTH = 1 << 26;

type Fail = (kind: 'truncated' | 'corrupt' | 'unsupported' | 'too-big', message: string) => AnemoneError;

function failure(file: string): Fail {
  return (kind, message) => new AnemoneError({ code: `zip.${kind}`, message, position: { file } });
}

/** The table at the end of the file. @throws AnemoneError `zip.truncated`, `zip.corrupt`, `zip.unsupported`, `zip.too-big` */
export async function readZipEntries(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const fail = failure(source.name);
  const { count, size, offset } = await endOfTable(source, fail);
  if (offset + size > source.size) throw fail('truncated', 'the table lies beyond the end of the file');
  if (count > MAX_ENTRIES || size > MAX_TABLE || count * 46 > size) {
    throw fail('corrupt', `a table of ${count} entries in ${size} bytes is not believable`);
  }
  const table = await source.read(offset, size);
  const view = viewOf(table);
  const entries = new Map<string, ZipEntry>();
  let packed = 0;
  let unpacked = 0;
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > table.length || view.getUint32(at, true) !== 0x02014b50) {
      throw fail('corrupt', `entry ${i} of the table is damaged`);
    }
    const lengths = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const next = at + 46 + lengths[0] + lengths[1] + lengths[2];
    if (next > table.length) throw fail('corrupt', `entry ${i} of the table is damaged`);
    const name = new TextDecoder().decode(table.subarray(at + 46, at + 46 + lengths[0]));
    const extraFields = table.subarray(at + 46 + lengths[0], next - lengths[2]);
    const entry = tableEntry(name, view, at, extraFields, fail);
    packed += entry.packed;
    if (entry.method === 'deflated') unpacked += entry.size;
    if (entries.has(name)) throw fail('corrupt', `the entry ${name} is there twice`);
    if (entry.header + 30 + entry.packed > offset) throw fail('corrupt', `${name} lies outside of the file`);
    entries.set(name, entry);
    at = next;
  }
  if (packed > source.size) throw fail('corrupt', 'entries share the same bytes');
  if (unpacked > Math.max(FREE_GROWTH, MAX_GROWTH * source.size)) {
    throw fail('too-big', `it unpacks to ${unpacked} bytes, more than ${MAX_GROWTH} times its size`);
  }
  return entries;
}

function tableEntry(name: string, view: DataView, at: number, extraFields: Uint8Array, fail: Fail): ZipEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (flags & 1) throw fail('unsupported', `${name} is encrypted`);
  if (method !== 0 && method !== 8) throw fail('unsupported', `${name} is compressed by method ${method}`);
  const wide = zip64Fields(extraFields);
  const field = (offset: number): number => {
    const value = view.getUint32(at + offset, true);
    if (value !== 0xffffffff) return value;
    const number = wide.shift();
    if (number === undefined) throw fail('corrupt', `${name} lacks its zip64 sizes`);
    return number;
  };
  // The sizes are read in this order, for it is the order of the zip64 fields.
  const size = field(24);
  const packed = field(20);
  const header = field(42);
  if (![size, packed, header].every(Number.isSafeInteger)) throw fail('corrupt', `${name} has absurd sizes`);
  if (method === 0 ? size !== packed : size > MAX_DEFLATE_RATIO * packed + 64) {
    throw fail('corrupt', `${name} promises ${size} bytes from ${packed}`);
  }
  const crc = view.getUint32(at + 16, true);
  return { name, method: method === 0 ? 'stored' : 'deflated', size, packed, header, crc };
}

function zip64Fields(extraFields: Uint8Array): number[] {
  const view = viewOf(extraFields);
  for (let at = 0; at + 4 <= extraFields.length; ) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && at + 4 + length <= extraFields.length) {
      const count = Math.floor(length / 8);
      return Array.from({ length: count }, (_, i) => Number(view.getBigUint64(at + 4 + 8 * i, true)));
    }
    at += 4 + length;
  }
  return [];
}

async function endOfTable(
  source: ByteSource,
  fail: Fail,
): Promise<{ count: number; size: number; offset: number }> {
  const length = Math.min(source.size, 22 + 0xffff);
  const start = source.size - length;
  const tail = await source.read(start, length);
  const view = viewOf(tail);
  let at = tail.length - 22;
  while (at >= 0 && view.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) throw fail('truncated', 'the table at the end of the zip file is missing');
  const short = {
    count: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  const locator = await source.read(Math.max(0, start + at - 20), 20);
  if (start + at < 20 || viewOf(locator).getUint32(0, true) !== 0x07064b50) return short;
  const record = await source.read(Number(viewOf(locator).getBigUint64(8, true)), 56);
  if (record.length < 56 || viewOf(record).getUint32(0, true) !== 0x06064b50) {
    throw fail('corrupt', 'the zip64 table is damaged');
  }
  const long = (field: number) => Number(viewOf(record).getBigUint64(field, true));
  return { count: long(32), size: long(40), offset: long(48) };
}

/** Offset in the file of a stored entry's first byte. */
export async function zipDataOffset(source: ByteSource, entry: ZipEntry): Promise<number> {
  const fail = failure(source.name);
  const header = await source.read(entry.header, 30);
  if (header.length < 30 || viewOf(header).getUint32(0, true) !== 0x04034b50) {
    throw fail('corrupt', `${entry.name} has no header where the table says`);
  }
  const view = viewOf(header);
  const offset = entry.header + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + entry.packed > source.size) throw fail('truncated', `${entry.name} is cut off`);
  return offset;
}

/** A whole entry, its checksum compared. @throws AnemoneError `zip.truncated`, `zip.corrupt` */
export async function readZipEntry(source: ByteSource, entry: ZipEntry): Promise<Uint8Array> {
  const fail = failure(source.name);
  const packed = await source.read(await zipDataOffset(source, entry), entry.packed);
  const bytes = entry.method === 'stored' ? packed : await inflated(packed, entry, fail);
  if (bytes.length !== entry.size) throw fail('truncated', `${entry.name} is cut off`);
  if (crc32(bytes) !== entry.crc) throw fail('corrupt', `the checksum of ${entry.name} does not fit`);
  return bytes;
}

function inflated(packed: Uint8Array, entry: ZipEntry, fail: Fail): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    inflateRaw(packed, { maxOutputLength: Math.max(1, entry.size) }, (error, bytes) => {
      if (error) reject(fail('corrupt', `${entry.name} cannot be unpacked (${error.message})`));
      else resolve(bytes);
    });
  });
}

export interface ZipInput {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const ALIGNMENT = 64;

/** Sizes of a local header that begins at `start`: the bytes before the padding field, and the padding itself. */
function layout(start: number, label: number, size: number): { wide: boolean; fixed: number; gap: number } {
  const wide = size >= 0xffffffff;
  const fixed = 30 + label + (wide ? 20 : 0);
  return { wide, fixed, gap: ALIGNMENT - ((start + fixed + 4) % ALIGNMENT) };
}

/** Bytes of the archive that `ZipWriter` makes of entries of these sizes. */
export function zipSize(entries: Iterable<{ readonly name: string; readonly size: number }>): number {
  let position = 0;
  let table = 0;
  let count = 0;
  for (const { name, size } of entries) {
    const label = Buffer.byteLength(name);
    const { fixed, gap } = layout(position, label, size);
    table += tableRecord(new Uint8Array(label), 0, size, position).length;
    position += fixed + 4 + gap + size;
    count++;
  }
  const wide = position >= 0xffffffff || count >= 0xffff || table >= 0xffffffff;
  return position + table + (wide ? 56 + 20 + 22 : 22);
}

/** Writes entries one after the other; `finish` gives the table. Sizes beyond 4 GiB get zip64 fields. */
export class ZipWriter {
  private position = 0;
  private readonly table: Uint8Array[] = [];

  /** Header and data of one entry, the data starting at a multiple of 64 bytes. */
  entry({ name, bytes }: ZipInput): Uint8Array[] {
    const label = Buffer.from(name);
    const start = this.position;
    const { wide, fixed, gap } = layout(start, label.length, bytes.length);
    const head = new Uint8Array(fixed + 4 + gap);
    const view = viewOf(head);
    const crc = crc32(bytes);
    view.setUint32(0, 0x04034b50, true);
    view.setUint16(4, wide ? 45 : 20, true);
    view.setUint32(14, crc, true);
    view.setUint32(18, wide ? 0xffffffff : bytes.length, true);
    view.setUint32(22, wide ? 0xffffffff : bytes.length, true);
    view.setUint16(26, label.length, true);
    view.setUint16(28, head.length - 30 - label.length, true);
    head.set(label, 30);
    if (wide) wideField(view, 30 + label.length, [bytes.length, bytes.length]);
    // "FB" is what PyTorch calls its padding.
    view.setUint16(fixed, 0x4246, true);
    view.setUint16(fixed + 2, gap, true);
    head.fill(0x5a, fixed + 4);
    this.table.push(tableRecord(label, crc, bytes.length, start));
    this.position += head.length + bytes.length;
    return [head, bytes];
  }

  finish(): Uint8Array {
    const size = this.table.reduce((sum, record) => sum + record.length, 0);
    const count = this.table.length;
    const wide = this.position >= 0xffffffff || count >= 0xffff || size >= 0xffffffff;
    const end = new Uint8Array(wide ? 56 + 20 + 22 : 22);
    const view = viewOf(end);
    let at = 0;
    if (wide) {
      view.setUint32(0, 0x06064b50, true);
      view.setBigUint64(4, 44n, true);
      view.setUint16(12, 45, true);
      view.setUint16(14, 45, true);
      for (const field of [24, 32]) view.setBigUint64(field, BigInt(count), true);
      view.setBigUint64(40, BigInt(size), true);
      view.setBigUint64(48, BigInt(this.position), true);
      view.setUint32(56, 0x07064b50, true);
      view.setBigUint64(64, BigInt(this.position + size), true);
      view.setUint32(72, 1, true);
      at = 76;
    }
    view.setUint32(at, 0x06054b50, true);
    for (const field of [8, 10]) view.setUint16(at + field, Math.min(count, 0xffff), true);
    view.setUint32(at + 12, Math.min(size, 0xffffffff), true);
    view.setUint32(at + 16, Math.min(this.position, 0xffffffff), true);
    return new Uint8Array(Buffer.concat([...this.table, end]));
  }
}

function tableRecord(label: Uint8Array, crc: number, size: number, header: number): Uint8Array {
  const values = [...(size >= 0xffffffff ? [size, size] : []), ...(header >= 0xffffffff ? [header] : [])];
  const record = new Uint8Array(46 + label.length + (values.length > 0 ? 4 + 8 * values.length : 0));
  const view = viewOf(record);
  view.setUint32(0, 0x02014b50, true);
  for (const field of [4, 6]) view.setUint16(field, values.length > 0 ? 45 : 20, true);
  view.setUint32(16, crc, true);
  for (const field of [20, 24]) view.setUint32(field, Math.min(size, 0xffffffff), true);
  view.setUint16(28, label.length, true);
  view.setUint16(30, record.length - 46 - label.length, true);
  view.setUint32(42, Math.min(header, 0xffffffff), true);
  record.set(label, 46);
  if (values.length > 0) wideField(view, 46 + label.length, values);
  return record;
}

function wideField(view: DataView, at: number, values: readonly number[]): void {
  view.setUint16(at, 1, true);
  view.setUint16(at + 2, 8 * values.length, true);
  values.forEach((value, i) => {
    view.setBigUint64(at + 4 + 8 * i, BigInt(value), true);
  });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
