// The batches of an epoch that are one rank's, among those of all.
import type { Batch, BatchSource } from '../../model/index.js';

/** Batches with these numbers, ascending. A source that cannot make them alone makes all. */
export async function* batchesOf(
  source: BatchSource,
  epoch: number,
  numbers: readonly number[],
): AsyncGenerator<Batch, void, undefined> {
  if (numbers.length === 0) return;
  if (source.batches) {
    yield* source.batches(epoch, numbers);
    return;
  }
  const last = numbers[numbers.length - 1];
  const wanted = new Set(numbers);
  let number = numbers[0];
  for await (const batch of source.epoch(epoch, number)) {
    if (wanted.has(number)) yield batch;
    if (number++ >= last) return;
  }
}
