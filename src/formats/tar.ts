// POSIX tar archives (ustar, with pax and GNU extensions), read where they lie: nothing is unpacked to disk, so
// an archive can put no file anywhere. Names that would climb out, links and devices are refused all the same.
import { gunzip } from 'node:zlib';
import { AnemoneError } from '../errors/index.js';
import { type ByteSource, memorySource } from './byte-source.js';
import { windowOf } from './window.js';

/** A regular file in an archive. */
export interface TarMember {
  /** Path with `/`, without a leading `./`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Place of its first byte in the archive. */
  readonly offset: number;
}

const BLOCK = 512;
const MAX_MEMBERS = 100_000;
/** Long names and pax headers are metadata; more of it than this is an attack. */
const MAX_EXTENDED = 1 << 20;
/** Weights hardly compress: an archive that grows more than this is a bomb. */
const MAX_GROWTH = 64;
const FREE_GROWTH = 1 << 26;

/** An open archive. */
export interface TarFile {
  readonly members: ReadonlyMap<string, TarMember>;
  /** A member's bytes, as a source of its own. @throws AnemoneError `tar.no-member` */
  open(name: string): ByteSource;
  /**
   * A member's bytes in memory of their own.
   * @throws AnemoneError `tar.no-member`
   */
  read(name: string): Promise<Uint8Array>;
}

/**
 * Reads the table of an archive, plain or gzipped (a gzipped one is unpacked in memory).
 * @throws AnemoneError `tar.truncated`, `tar.corrupt`, `tar.unsafe`, `tar.too-big`
 */
export async function readTar(source: ByteSource): Promise<TarFile> {
  const head = await source.read(0, 2);
  const plainSource = head[0] === 0x1f && head[1] === 0x8b ? await gunzipped(source) : source;
  const members = await readMembers(plainSource);
  const open = (name: string): ByteSource => {
    const member = members.get(name);
    if (!member) {
      throw new AnemoneError({
        code: 'tar.no-member',
        message: `there is no ${name} in the archive`,
        position: { file: source.name },
        hint: `it holds ${[...members.keys()].slice(0, 10).join(', ') || 'no files'}`,
      });
    }
    return windowOf(plainSource, member.offset, member.size, `${source.name}:${name}`);
  };
  const read = (name: string) => open(name).read(0, Number.POSITIVE_INFINITY);
  return { members, open, read };
}

async function gunzipped(source: ByteSource): Promise<ByteSource> {
  const limit = Math.max(FREE_GROWTH, MAX_GROWTH * source.size);
  const packed = await source.read(0, source.size);
  return new Promise((resolve, reject) => {
    gunzip(packed, { maxOutputLength: Math.min(limit, 2 ** 32 - 1) }, (error, bytes) => {
      if (!error) return resolve(memorySource(bytes, source.name));
      const tooBig = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      reject(
        new AnemoneError({
          code: tooBig ? 'tar.too-big' : 'tar.corrupt',
          message: tooBig
            ? `unpacks to more than ${MAX_GROWTH} times its size`
            : `cannot be unpacked (${error.message})`,
          position: { file: source.name },
          cause: error,
        }),
      );
    });
  });
}

async function readMembers(source: ByteSource): Promise<Map<string, TarMember>> {
  const members = new Map<string, TarMember>();
  const fail = failure(source.name);
  let extended: Extended = {};
  let count = 0;
  if (source.size === 0) throw fail('truncated', 'the file has no bytes');
  for (let at = 0; at < source.size; ) {
    const header = await source.read(at, BLOCK);
    if (header.length < BLOCK && at === 0) throw fail('corrupt', 'this is no tar archive: it is too short');
    if (header.length < BLOCK) throw fail('truncated', 'the archive ends within a header');
    if (header.every((byte) => byte === 0)) break;
    if (at === 0 && !checksumFits(header)) throw fail('corrupt', 'this is no tar archive');
    if (!checksumFits(header)) throw fail('corrupt', `no tar header at byte ${at}`);
    if (++count > MAX_MEMBERS) throw fail('too-big', `more than ${MAX_MEMBERS} members`);
    const type = String.fromCharCode(header[156] || 0x30);
    const size = extended.size ?? number(header.subarray(124, 136));
    const offset = at + BLOCK;
    if (!Number.isSafeInteger(size) || size < 0) throw fail('corrupt', `a member of ${size} bytes`);
    if (size > source.size - offset) {
      throw fail('truncated', `a member promises ${size} bytes, ${source.size - offset} are there`);
    }
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
    if ('xgLK'.includes(type)) {
      if (size > MAX_EXTENDED) throw fail('too-big', `${size} bytes of metadata for one member`);
      const bytes = await source.read(offset, size);
      // A global header (g) says nothing about one file; its path or size would be nonsense.
      if (type === 'x') extended = { ...extended, ...paxRecords(bytes, fail) };
      else if (type === 'L') extended = { ...extended, path: text(bytes) };
      continue;
    }
    const raw = extended.path ?? ustarName(header);
    extended = {};
    const name = safeName(raw, fail);
    if (type === '5') continue;
    if (type !== '0' && type !== '7') {
      throw fail('unsafe', `"${raw}" is a ${KINDS[type] ?? `member of type ${type}`}, not a file`);
    }
    if (name === '' || members.has(name)) throw fail('corrupt', `the name "${raw}" is empty or there twice`);
    members.set(name, { name, size, offset });
  }
  return members;
}

const KINDS: Readonly<Record<string, string>> = {
  1: 'hard link',
  2: 'symbolic link',
  3: 'device',
  4: 'device',
  6: 'pipe',
  S: 'sparse file',
};

interface Extended {
  readonly path?: string;
  readonly size?: number;
}

type Fail = (kind: 'truncated' | 'corrupt' | 'unsafe' | 'too-big', message: string) => AnemoneError;

function failure(file: string): Fail {
  return (kind, message) => new AnemoneError({ code: `tar.${kind}`, message, position: { file } });
}

/** `LENGTH KEY=VALUE\n`, the length counting all of it. */
function paxRecords(bytes: Uint8Array, fail: Fail): Extended {
  let path: string | undefined;
  let size: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(text(bytes.subarray(at, space)));
    if (!Number.isInteger(length) || length <= space - at || at + length > bytes.length) {
      throw fail('corrupt', 'a pax record has a wrong length');
    }
    const record = text(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') path = value;
    if (key === 'size') size = Number(value);
    if (key === 'linkpath' || key.startsWith('GNU.sparse')) throw fail('unsafe', `pax record ${key}`);
    at += length;
  }
  return { ...(path === undefined ? {} : { path }), ...(size === undefined ? {} : { size }) };
}

function ustarName(header: Uint8Array): string {
  const name = text(header.subarray(0, 100));
  const isUstar = text(header.subarray(257, 262)) === 'ustar';
  // GNU's own variant ("ustar " with a blank) has times where ustar has the prefix.
  const prefix = isUstar && header[262] === 0 ? text(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function safeName(raw: string, fail: Fail): string {
  const parts = raw.split('/').filter((part) => part !== '' && part !== '.');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  const isStrange = /[\\\u0000-\u001f]|^[A-Za-z]:/.test(raw);
  if (raw.startsWith('/') || isStrange || parts.includes('..')) {
    throw fail('unsafe', `the member name ${JSON.stringify(raw)} leads out of the archive`);
  }
  return parts.join('/');
}

/** Up to the first NUL. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal text, or GNU's base 256 where the first bit is set. */
function number(field: Uint8Array): number {
  if (field[0] & 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, field[0] & 0x3f);
  const digits = text(field).trim();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function checksumFits(header: Uint8Array): boolean {
  const stored = number(header.subarray(148, 156));
  return stored === checksum(header);
}

function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);
}

/** A file to be written into an archive. */
export interface TarInput {
  readonly name: string;
  readonly size: number;
  /** The bytes, in parts that are written one after the other. */
  readonly parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/**
 * The archive as parts to be written one after the other: ustar, with pax headers for long names and sizes.
 * Times are zero and owners nobody, so that equal content is equal bytes.
 */
export async function* tarParts(members: Iterable<TarInput>): AsyncGenerator<Uint8Array> {
  for (const { name, size, parts } of members) {
    const path = Buffer.from(name);
    const records = [
      ...(path.length > 100 ? [paxRecord('path', name)] : []),
      ...(size >= 8 ** 11 ? [paxRecord('size', String(size))] : []),
    ].join('');
    if (records !== '') {
      const bytes = Buffer.from(records);
      yield tarHeader(Buffer.from('pax'), bytes.length, 'x');
      yield bytes;
      yield padding(bytes.length);
    }
    yield tarHeader(path.subarray(0, 100), size, '0');
    let writtenBytes = 0;
    for await (const part of parts) {
      writtenBytes += part.length;
      yield part;
    }
    if (writtenBytes !== size) throw failure(name)('corrupt', `${writtenBytes} bytes were given for ${size}`);
    yield padding(size);
  }
  yield new Uint8Array(2 * BLOCK);
}

function tarHeader(name: Uint8Array, size: number, type: string): Uint8Array {
  const header = new Uint8Array(BLOCK);
  const put = (offset: number, value: string) => header.set(Buffer.from(value, 'latin1'), offset);
  header.set(name, 0);
  put(100, '0000644\0');
  put(108, '0000000\0');
  put(116, '0000000\0');
  put(124, `${(size < 8 ** 11 ? size : 0).toString(8).padStart(11, '0')}\0`);
  put(136, '00000000000\0');
  put(156, type);
  put(257, 'ustar\x0000');
  put(148, `${checksum(header).toString(8).padStart(6, '0')}\0 `);
  return header;
}

function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${key}=${value}\n`;
}

function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}
