// Batches of examples in hand: every example once an epoch, the same order again, and from any batch on.
import { describe, expect, it } from 'vitest';
import { batchesOf, type ExampleSourceOptions } from '../../src/data/index.js';
import { float32 } from '../../src/engine/index.js';
import type { Batch, BatchSource } from '../../src/model/index.js';

const numbers = Array.from({ length: 10 }, (_, i) => i);
const collate = (values: readonly number[]) => ({ x: float32([...values], [values.length]) });
const source = (options: Partial<ExampleSourceOptions<number>> = {}) =>
  batchesOf(numbers, { batchSize: 4, collate, ...options });

async function valuesOf(from: BatchSource, epoch = 0, first = 0): Promise<number[][]> {
  const batches: Batch[] = [];
  for await (const batch of from.epoch(epoch, first)) batches.push(batch);
  return batches.map(({ inputs }) => Array.from(inputs['x'].data));
}

describe('batchesOf', () => {
  it('cuts a list into batches, the last one smaller unless it is dropped', async () => {
    expect(await valuesOf(source())).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(source().batchesInEpoch(0)).toBe(3);
    const dropping = source({ dropLast: true });
    expect(await valuesOf(dropping)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(dropping.batchesInEpoch(0)).toBe(2);
  });

  it('shuffles by seed and epoch, every example once', async () => {
    const shuffled = source({ shuffle: true, seed: 3 });
    const [first, second] = [await valuesOf(shuffled, 0), await valuesOf(shuffled, 1)];
    expect(first).not.toEqual(second);
    expect(await valuesOf(source({ shuffle: true, seed: 3 }), 1)).toEqual(second);
    expect(await valuesOf(source({ shuffle: true, seed: 4 }), 1)).not.toEqual(second);
    for (const batches of [first, second]) expect(batches.flat().sort((a, b) => a - b)).toEqual(numbers);
    expect(await valuesOf(shuffled, 1, 1)).toEqual(second.slice(1));
  });

  it('reads an iterable anew each epoch', async () => {
    async function* lines(epoch: number) {
      for (const value of numbers) yield value + 100 * epoch;
    }
    const read = batchesOf(lines, { batchSize: 4, collate, examplesInEpoch: 10 });
    expect(await valuesOf(read, 0)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(await valuesOf(read, 2, 2)).toEqual([[208, 209]]);
    const fewer = batchesOf(lines, { batchSize: 4, collate, examplesInEpoch: 6 });
    expect(await valuesOf(fewer)).toEqual([
      [0, 1, 2, 3],
      [4, 5],
    ]);
  });

  it('tells what an example is and how much of it there is', async () => {
    const told = source({ unitsOf: (x) => x, nameOf: (x) => `number ${x}`, textOf: (x) => 'x'.repeat(x) });
    const [batch] = [await told.epoch(0)[Symbol.asyncIterator]().next()].map(({ value }) => value as Batch);
    expect(batch).toMatchObject({ size: 4, units: 6, texts: ['', 'x', 'xx', 'xxx'] });
    expect(batch.names[2]).toBe('number 2');
    expect((await source().epoch(0, 1)[Symbol.asyncIterator]().next()).value).toMatchObject({
      names: ['examples 4', 'examples 5', 'examples 6', 'examples 7'],
    });
  });

  it.each([
    [() => source({ batchSize: 0 }), /batchSize: expected a whole number above 0, got 0/],
    [() => source({ batchSize: 1.5 }), /batchSize/],
    [() => batchesOf(() => numbers, { batchSize: 2, collate }), /examplesInEpoch: expected/],
    [
      () => batchesOf(() => numbers, { batchSize: 2, collate, examplesInEpoch: 4, shuffle: true }),
      /only a list can be/,
    ],
  ])('refuses what it cannot do (%#)', (make, said) => expect(make).toThrow(said));

  it('says when an iterable has fewer examples than was said', async () => {
    const short = batchesOf(() => numbers, { batchSize: 4, collate, examplesInEpoch: 12 });
    await expect(valuesOf(short)).rejects.toThrow(/epoch 0 of examples has 10 examples, not 12/);
  });
});
