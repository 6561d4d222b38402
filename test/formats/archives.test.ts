// tar and zip archives: what others write is read, what is written is read, and what lies is refused.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { AnemoneError } from '../../src/errors/index.js';
import { memorySource, readTar, tarParts } from '../../src/formats/index.js';
import { readZipEntries, readZipEntry, ZipWriter } from '../../src/formats/zip.js';
import { codeOf } from './codes.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-archives-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hasGnuTar(): boolean {
  try {
    return execFileSync('tar', ['--version'], { encoding: 'utf8' }).includes('GNU tar');
  } catch {
    return false;
  }
}

async function tar(files: Record<string, string>): Promise<Uint8Array> {
  const members = Object.entries(files).map(([name, text]) => {
    const bytes = Buffer.from(text);
    return { name, size: bytes.length, parts: [bytes] };
  });
  const chunks: Uint8Array[] = [];
  for await (const part of tarParts(members)) chunks.push(part);
  return new Uint8Array(Buffer.concat(chunks));
}

async function textsOf(bytes: Uint8Array): Promise<Record<string, string>> {
  const archive = await readTar(memorySource(bytes, 'x.nemo'));
  const texts: Record<string, string> = {};
  for (const name of archive.members.keys()) texts[name] = new TextDecoder().decode(await archive.read(name));
  return texts;
}

/** Changes a header and makes its checksum fit again. */
function reheaded(bytes: Uint8Array, change: (header: Uint8Array) => void): Uint8Array {
  const copy = bytes.slice();
  const header = copy.subarray(0, 512);
  change(header);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((a, b) => a + b, 0);
  header.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  return copy;
}

const long = `${'long-'.repeat(40)}name.txt`;

describe('tar', () => {
  it('reads back what it wrote, plain and gzipped, long names too', async () => {
    const files = { 'a.txt': 'hello', empty: '', [long]: 'x'.repeat(1000), 'ü.txt': 'ü' };
    const bytes = await tar(files);
    expect(bytes.length % 512).toBe(0);
    expect(await textsOf(bytes)).toEqual(files);
    expect(await textsOf(new Uint8Array(gzipSync(bytes)))).toEqual(files);
  });

  it('reads what GNU tar writes, in its formats, and GNU tar reads what is written', async ({ skip }) => {
    skip(!hasGnuTar(), 'tar is not GNU tar');
    for (const [name, text] of [
      ['short.txt', 'one'],
      [long, 'two'],
    ])
      writeFileSync(join(folder, name), text);
    for (const format of ['gnu', 'posix']) {
      const file = join(folder, `${format}.tar`);
      execFileSync('tar', ['-C', folder, `--format=${format}`, '-cf', file, './short.txt', `./${long}`]);
      const { readFileSync } = await import('node:fs');
      expect(await textsOf(new Uint8Array(readFileSync(file)))).toEqual({
        'short.txt': 'one',
        [long]: 'two',
      });
    }
    writeFileSync(join(folder, 'ours.tar'), await tar({ 'a.txt': 'hello', [long]: 'there' }));
    const listed = execFileSync('tar', ['-tf', join(folder, 'ours.tar')], { encoding: 'utf8' });
    expect(listed.trim().split('\n')).toEqual(['a.txt', long]);
    expect(execFileSync('tar', ['-xOf', join(folder, 'ours.tar'), long], { encoding: 'utf8' })).toBe('there');
  });

  const put = (name: string) => (header: Uint8Array) => {
    header.fill(0, 0, 100);
    header.set(Buffer.from(name), 0);
  };
  it.each(['../evil', 'a/../../evil', '/etc/passwd', 'C:\\evil', 'a\\b', 'C:evil'])(
    'refuses the name %s',
    async (name) => {
      const bytes = reheaded(await tar({ x: 'y' }), put(name));
      expect(await codeOf(readTar(memorySource(bytes)))).toBe('tar.unsafe');
    },
  );

  it.each(['1', '2', '3', '4', '6', 'S', 'Z'])('refuses members of type %s', async (type) => {
    const bytes = reheaded(await tar({ x: 'y' }), (header) => header.set(Buffer.from(type), 156));
    expect(await codeOf(readTar(memorySource(bytes)))).toBe('tar.unsafe');
  });

  it('refuses lying sizes, damaged headers, names given twice and bombs', async () => {
    const good = await tar({ x: 'y' });
    const size = (text: string) => (header: Uint8Array) => header.set(Buffer.from(text), 124);
    expect(await codeOf(readTar(memorySource(reheaded(good, size('77777777777\0')))))).toBe('tar.truncated');
    expect(await codeOf(readTar(memorySource(reheaded(good, size('9xxxxxxxxxx\0')))))).toBe('tar.corrupt');
    const negative = reheaded(good, (header) => header.fill(0xff, 124, 136));
    expect(await codeOf(readTar(memorySource(negative)))).toMatch(/^tar\./);
    expect(await codeOf(readTar(memorySource(good.map((byte, i) => (i === 3 ? 1 : byte)))))).toBe(
      'tar.corrupt',
    );
    const twice = new Uint8Array(Buffer.concat([good.subarray(0, 1024), good]));
    expect(await codeOf(readTar(memorySource(twice)))).toBe('tar.corrupt');
    const bomb = new Uint8Array(gzipSync(new Uint8Array(70 << 20), { level: 1 }));
    expect(await codeOf(readTar(memorySource(bomb)))).toBe('tar.too-big');
    expect(await codeOf(readTar(memorySource(Uint8Array.of(0x1f, 0x8b, 1, 2, 3))))).toBe('tar.corrupt');
  });

  it('names what there is when a member is missing', async () => {
    const archive = await readTar(memorySource(await tar({ 'a.txt': '1' })));
    expect(() => archive.open('b.txt')).toThrow(/no b\.txt.*a\.txt/);
  });

  it('never fails but with an AnemoneError', async () => {
    const good = await tar({ a: 'hello', [long]: 'there' });
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(), async (list, cut) => {
        const bytes = reheaded(good.slice(0, 512 + (cut % good.length)), (header) => {
          for (const [at, value] of list) header[at % header.length] = value;
        });
        await textsOf(bytes).catch((error: unknown) => {
          if (!(error instanceof AnemoneError)) throw error;
        });
      }),
      { numRuns: 300, seed: 3 },
    );
  });
});

describe('zip', () => {
  function zip(files: Record<string, Uint8Array>): Uint8Array {
    const writer = new ZipWriter();
    const parts = Object.entries(files).flatMap(([name, bytes]) => writer.entry({ name, bytes }));
    return new Uint8Array(Buffer.concat([...parts, writer.finish()]));
  }
  const content = { 'a/data.pkl': Buffer.from('hello'), 'a/0': new Uint8Array(100) };

  it('reads back what it wrote', async () => {
    const source = memorySource(zip(content));
    const entries = await readZipEntries(source);
    expect([...entries.keys()]).toEqual(Object.keys(content));
    for (const [name, bytes] of Object.entries(content)) {
      const entry = entries.get(name);
      expect(entry && Buffer.from(await readZipEntry(source, entry)).equals(bytes)).toBe(true);
    }
  });

  it('inflates deflated entries no further than they promise', async () => {
    const packed = deflateRawSync(new Uint8Array(5000));
    const bytes = zip({ a: packed });
    const view = new DataView(bytes.buffer);
    const table = Buffer.from(bytes).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    view.setUint16(table + 10, 8, true);
    view.setUint32(table + 24, 3000, true);
    const source = memorySource(bytes);
    const entry = (await readZipEntries(source)).get('a');
    expect(entry && (await codeOf(readZipEntry(source, entry)))).toBe('zip.corrupt');
    view.setUint32(table + 24, 2 ** 31, true);
    expect(await codeOf(readZipEntries(source))).toBe('zip.corrupt');
  });

  it('refuses encrypted entries, shared bytes, places outside of the file and missing tables', async () => {
    const good = zip(content);
    const table = Buffer.from(good).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    const changed = (at: number, value: number) => {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(at, value, true);
      return codeOf(readZipEntries(memorySource(bytes)));
    };
    expect(await changed(table + 8, 1)).toBe('zip.unsupported');
    expect(await changed(table + 42, 1e6)).toBe('zip.corrupt');
    expect(await changed(table + 20, 50)).toBe('zip.corrupt');
    expect(await codeOf(readZipEntries(memorySource(good.slice(0, -22))))).toBe('zip.truncated');
    expect(await codeOf(readZipEntries(memorySource(new Uint8Array(0))))).toBe('zip.truncated');
  });
});
