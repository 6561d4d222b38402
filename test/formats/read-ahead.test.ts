import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ByteSource, fileSource, memorySource, readAhead } from '../../src/formats/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-ahead-'));
const path = join(folder, 'bytes');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** More than three chunks, no two stretches alike. */
const CHUNK = 1 << 23;
const SIZE = 30_000_001;
const bytes = new Uint8Array(SIZE);
for (let i = 0; i < SIZE; i++) bytes[i] = (i * i) >>> 7;
writeFileSync(path, bytes);

const same = (a: Uint8Array, from: number, to: number) => Buffer.compare(a, bytes.subarray(from, to)) === 0;

describe('readAhead', () => {
  it('gives the bytes of any stretch, in any order, in one memory but for the ends', async () => {
    const file = await fileSource(path);
    const source = readAhead(file, CHUNK);
    const stretches = [
      [SIZE - 10, SIZE],
      [5, 20],
      [1_048_570, 1_048_580],
      [SIZE - 1_048_577, SIZE - 1_048_570],
      [8_388_600, 8_388_700],
      [0, SIZE],
      [20_000_000, 29_000_000],
      [29_999_990, SIZE + 99],
    ];
    const found = await Promise.all(stretches.map(([from, to]) => source.read(from, to - from)));
    for (const [i, [from, to]] of stretches.entries()) {
      expect(found[i].length).toBe(Math.min(to, SIZE) - from);
      expect(same(found[i], from, to)).toBe(true);
    }
    const [a, b] = await Promise.all([source.read(9_000_000, 8), source.read(2_000_000, 8)]);
    // Not toBe, whose message would print the memory.
    expect(a.buffer === b.buffer).toBe(true);
    expect((await source.read(SIZE, 5)).length).toBe(0);
    await file.close();
  });

  it('is cut where the file was cut meanwhile', async () => {
    const file = await fileSource(path);
    truncateSync(path, 10_000_000);
    const source = readAhead(file, CHUNK);
    expect((await source.read(9_000_000, 3_000_000)).length).toBe(1_000_000);
    expect(same(await source.read(9_000_000, 10), 9_000_000, 9_000_010)).toBe(true);
    await file.close();
  });

  it('tells those who need it of a failure, and stops when closed', async () => {
    let reads = 0;
    const failing: ByteSource = {
      ...memorySource(bytes),
      read: async (offset) => {
        reads++;
        throw new Error(`broken at ${offset}`);
      },
    };
    const source = readAhead(failing, CHUNK);
    await expect(source.read(0, 2_000_000)).rejects.toThrow(/broken at 0/);
    await source.close();
    const before = reads;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reads).toBe(before);
  });
});
