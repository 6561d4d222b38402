// Megatron's .bin and .idx: byte for byte, and what is damaged or of others.
import { mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IndexedDataset, IndexedDatasetWriter } from '../../src/formats/index.js';

const golden = JSON.parse(
  readFileSync(new URL('../golden/megatron_index.json', import.meta.url), 'utf8'),
) as {
  docs_as_sequences: number[][][];
  uint16: { bin_hex: string; idx_hex: string };
  int32: { bin_hex: string; idx_hex: string };
};

async function written(vocabSize: number): Promise<string> {
  const prefix = join(mkdtempSync(join(tmpdir(), 'indexed-')), 'set');
  const writer = await IndexedDatasetWriter.create(prefix, vocabSize);
  for (const document of golden.docs_as_sequences) {
    for (const sequence of document) {
      await writer.add(sequence);
      writer.endSequence();
    }
    writer.endDocument();
  }
  await writer.finish();
  return prefix;
}

describe('a set', () => {
  it.each([
    [1000, 'uint16'],
    [65_500, 'int32'],
  ] as const)('with %i tokens is %s, byte for byte Megatron’s', async (size, dtype) => {
    const prefix = await written(size);
    expect(readFileSync(`${prefix}.bin`).toString('hex')).toBe(golden[dtype].bin_hex);
    expect(readFileSync(`${prefix}.idx`).toString('hex')).toBe(golden[dtype].idx_hex);
    const set = await IndexedDataset.open(prefix);
    const sequences = golden.docs_as_sequences.flat();
    expect([...set.lengths].map((_, i) => [...set.read(i)])).toEqual(sequences);
    expect([...set.read(4, 1, 3)]).toEqual([12, 13, 14]);
    expect([set.dtype, set.tokens]).toEqual([dtype, 15]);
    set.close();
    expect(() => set.read(0)).toThrow(/is closed/);
  });

  it('of more tokens than are held at once comes back', async () => {
    const prefix = join(mkdtempSync(join(tmpdir(), 'indexed-')), 'set');
    const writer = await IndexedDatasetWriter.create(prefix, 100_000);
    const tokens = Int32Array.from({ length: 700_001 }, (_, i) => i % 99_991);
    for (const start of [0, 300_000, 600_001]) await writer.add(tokens.subarray(start, { 0: 300_000, 300000: 600_001 }[start] ?? tokens.length)); // biome-ignore format: one line
    writer.endSequence();
    writer.endDocument();
    await writer.finish();
    const set = await IndexedDataset.open(prefix);
    expect(set.read(0)).toEqual(tokens);
    set.close();
  });

  it('that is given up leaves nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'indexed-'));
    const writer = await IndexedDatasetWriter.create(join(folder, 'set'), 10);
    await writer.add([1, 2]);
    await writer.discard();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('is refused in one line:', () => {
  const patched = (at: number, byte: number) => (prefix: string) => {
    const bytes = readFileSync(`${prefix}.idx`);
    bytes[at] = byte;
    writeFileSync(`${prefix}.idx`, bytes);
  };
  const cases: [string, (prefix: string) => void, RegExp][] = [
    ['an index cut off', (prefix) => truncateSync(`${prefix}.idx`, 60), /set\.idx: 5 sequences and 5 boundaries of documents take 134 bytes, the file has 60/],
    ['an index cut off in its header', (prefix) => truncateSync(`${prefix}.idx`, 20), /ends within its header/],
    ['tokens cut off', (prefix) => truncateSync(`${prefix}.bin`, 10), /sequence 2 .* lies outside of the \.bin of 10 bytes/],
    ['another file', (prefix) => writeFileSync(`${prefix}.idx`, 'hello world, this is text of no index at all'), /no index of Megatron/],
    ['an empty file', (prefix) => writeFileSync(`${prefix}.idx`, ''), /no index of Megatron/],
    ['the old format', (prefix) => writeFileSync(`${prefix}.idx`, 'TNTIDX\0\0'.padEnd(60)), /the format before .* is not supported/],
    ['another version', patched(9, 2), /version 2 of the index is not supported/],
    ['another type', patched(17, 7), /tokens of type 7 is not supported/],
    ['a count beyond the file', patched(22, 1), /sequences and 5 boundaries/],
    ['an offset beyond the tokens', patched(34 + 20 + 8 + 2, 9), /sequence 1 .* lies outside/],
    ['documents that go back', patched(134 - 16, 0), /document 3 begins at sequence 0/],
  ]; // biome-ignore format: a table
  it.each(cases)('%s', async (_, spoil, message) => {
    const prefix = await written(1000);
    spoil(prefix);
    await expect(IndexedDataset.open(prefix)).rejects.toThrow(message);
    await expect(IndexedDataset.open(prefix)).rejects.toMatchObject({ exitCode: 2 });
  });
});
