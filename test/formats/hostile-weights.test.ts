// Files of weights made to cost memory or time, or to reach what a reader takes for granted: each is refused at once.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  decodeNpy,
  fileSource,
  memorySource,
  openWeights,
  readTar,
  readTorchData,
  torchWeights,
} from '../../src/formats/index.js';
import { readZipEntries, ZipWriter } from '../../src/formats/zip.js';
import { codeOf } from './codes.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = (latin1: string) => new Uint8Array(Buffer.from(latin1, 'latin1'));

function saved(pickle: string) {
  const writer = new ZipWriter();
  const files = { 'a/data.pkl': text(pickle), 'a/data/0': new Uint8Array(16) };
  const parts = Object.entries(files).flatMap(([name, bytes]) => writer.entry({ name, bytes }));
  return memorySource(new Uint8Array(Buffer.concat([...parts, writer.finish()])), 'hostile.pt');
}

/** A zip of deflated entries: packed bytes and the size that the table promises. */
function deflated(files: Record<string, readonly [Uint8Array, number]>): Uint8Array {
  const [data, table]: Buffer[][] = [[], []];
  let at = 0;
  for (const [name, [packed, size]] of Object.entries(files)) {
    const label = Buffer.from(name);
    const local = Buffer.alloc(30);
    const record = Buffer.alloc(46);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(label.length, 26);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(8, 10);
    record.writeUInt32LE(crc32(Buffer.from('}.')), 16);
    record.writeUInt32LE(packed.length, 20);
    record.writeUInt32LE(size, 24);
    record.writeUInt16LE(label.length, 28);
    record.writeUInt32LE(at, 42);
    data.push(local, label, Buffer.from(packed));
    table.push(record, label);
    at += 30 + label.length + packed.length;
  }
  const end = Buffer.alloc(22);
  const records = Buffer.concat(table);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...data, records, end]));
}

const int = (n: number) => `J${String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24)}`;
/** 2^52, eight bytes long. */
const huge = '\x8a\x07\0\0\0\0\0\0\x10';
const tensor = (type: string, shape: string, strides: string) =>
  `\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n${type}\nX\x01\0\0\x000X\x03\0\0\0cpu${int(4)}tQ${int(0)}(${shape}t(${strides}t\x89}tRs.`;
/** Lists of which each holds the one before twice: the last, memorised as 40, stands for 2^40 texts. */
const doubled = Array.from({ length: 40 }, (_, i) => {
  const [before, after] = [i, i + 1].map((n) => String.fromCharCode(n));
  return `](h${before}h${before}eq${after}0`;
});
const bush = `]q\0X\x01\0\0\0xa0${doubled.join('')}`;

describe('zip', () => {
  it('bombs in entries that a checkpoint need not have are refused before they are unpacked', async () => {
    const pickle = [deflateRawSync(Buffer.from('}.')), 2] as const;
    for (const [packed, size] of [
      [deflateRawSync(new Uint8Array(66 << 20), { level: 1 }), 66 << 20],
      // Beyond what Node's buffers hold.
      [new Uint8Array(5 << 20), 0xfffffffe],
    ] as const) {
      for (const name of ['a/byteorder', 'a/data/0']) {
        const source = memorySource(deflated({ 'a/data.pkl': pickle, [name]: [packed, size] }));
        expect(await codeOf(torchWeights(source, true))).toBe('zip.too-big');
      }
    }
  });

  it('small entries may be deflated as well as they can', async () => {
    const zeros = deflateRawSync(new Uint8Array(1 << 20));
    const source = memorySource(deflated({ 'a/data/0': [zeros, 1 << 20] }));
    expect((await readZipEntries(source)).get('a/data/0')?.size).toBe(1 << 20);
  });
});

describe('pickle', () => {
  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'the property %s of every object is no type of numbers',
    async (name) => {
      const pickle = tensor(name, int(4), int(1));
      const reads = async () => (await torchWeights(saved(pickle), true)).read('w');
      expect(await codeOf(reads())).toBe('torch.corrupt');
    },
  );

  it('sizes whose product is no number are refused, also with a zero among them', async () => {
    const pickle = tensor('FloatStorage', huge.repeat(30) + int(0), int(0).repeat(31));
    expect(await codeOf(torchWeights(saved(pickle), true))).toBe('torch.corrupt');
    const empty = tensor('FloatStorage', int(0) + int(3), int(3) + int(1));
    const weights = await torchWeights(saved(empty), true);
    expect((await weights.read('w')).data).toHaveLength(0);
  });

  it('names with control characters are told in one line, which no terminal obeys', async () => {
    const pickle = '\x80\x04\x8c\x0aos\x1b[2J\nx.\r\x8c\x06system\x93.';
    const error = await torchWeights(saved(pickle), false).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'pickle.forbidden' });
    expect((error as Error).message).toContain('os\\x1b[2J\\x0ax.\\x0d.system');
    expect((error as Error).message).not.toMatch(/\p{Cc}/u);
  });

  it('lists copied over and over do not fill the memory', async () => {
    const many = `](${'N'.repeat(100_000)}eq\x000c__builtin__\nlist\nq\x010]q\x020`;
    const pickle = `${many}(${'h\x01h\0\x85R'.repeat(20_000)}l.`;
    expect(await codeOf(torchWeights(saved(pickle), true))).toBe('torch.corrupt');
  });

  it('bytes are made of text alone, not of what a long list is as text', async () => {
    expect(await codeOf(torchWeights(saved(`${bush}c_codecs\nencode\n(h\x28tR.`), true))).toBe(
      'torch.corrupt',
    );
  });
});

describe('plain data of torch.save', () => {
  it.each([
    ['a list in itself', '\x80\x02]q\0h\0a.'],
    ['a dictionary in itself', '\x80\x02}q\0X\x01\0\0\0ah\0s.'],
    ['a deep list', `\x80\x02${']'.repeat(50_000)}${'a'.repeat(49_999)}.`],
    ['a deep key', `\x80\x02}${']'.repeat(50_000)}${'a'.repeat(49_999)}Ns.`],
    ['few lists that stand for many', `${bush}h\x28.`],
  ])('refuses %s', async (_name, pickle) => {
    expect(await codeOf(readTorchData(saved(pickle)))).toBe('torch.corrupt');
  });
});

describe('npy', () => {
  const npy = (header: string, version = '\x01\0') => {
    const length = String.fromCharCode(header.length & 255, header.length >> 8);
    return text(`\x93NUMPY${version}${length}${header}`);
  };
  it.each(['L', '9'.repeat(400), `${'9'.repeat(200)}, ${'9'.repeat(200)}, 0`])(
    'refuses the shape (%s)',
    async (shape) => {
      const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape},), }`;
      expect(await codeOf(Promise.resolve().then(() => decodeNpy(npy(header))))).toBe('npy.corrupt');
    },
  );

  it('refuses a header that is cut off', async () => {
    expect(await codeOf(Promise.resolve().then(() => decodeNpy(npy('', '\x02\0'))))).toBe('npy.corrupt');
  });
});

describe('files', () => {
  it.each([
    ['of no bytes', new Uint8Array(0), /no bytes/],
    ['of a few', text('hello'), /no tar archive/],
    ['of others', text('hello'.repeat(1000)), /no tar archive/],
  ])('%s are no archive', async (_name, bytes, message) => {
    await expect(readTar(memorySource(bytes, 'x.nemo'))).rejects.toThrow(message);
  });

  it('a pipe is refused, not waited for', async () => {
    const pipe = join(folder, 'pipe');
    try {
      execFileSync('mkfifo', [pipe]);
    } catch {
      return; // a system without pipes
    }
    expect(await codeOf(fileSource(pipe, 'weights'))).toBe('weights.unreadable');
  });

  it('what Node cannot hold at once is refused', async () => {
    const path = join(folder, 'sparse.nemo');
    writeFileSync(path, Buffer.of(0x1f, 0x8b, 8));
    truncateSync(path, 2 ** 36);
    expect(await codeOf(openWeights(path))).toBe('weights.too-large');
  });
});
