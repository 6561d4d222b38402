// Sizes of what collectives are given, and whether they fit.
import { bytesOf, sizeOf } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import type { Elements } from './communicator.js';

export function lengthOf({ shape }: Elements): number {
  return sizeOf(shape);
}

export function byteLengthOf(x: Elements): number {
  return bytesOf(x.dtype, lengthOf(x));
}

export function listOf(x: Elements | readonly Elements[]): readonly Elements[] {
  return isList(x) ? x : [x];
}

function isList(x: Elements | readonly Elements[]): x is readonly Elements[] {
  return Array.isArray(x);
}

/**
 * Elements of each rank in an all-gather or reduce-scatter.
 * @param whole the tensor that holds those of all ranks; @param part that of this rank
 * @throws AnemoneError `distributed.argument`
 */
export function countsOf(
  whole: Elements,
  part: Elements,
  ranks: { readonly rank: number; readonly size: number },
  label: string,
  givenCounts?: readonly number[],
): readonly number[] {
  const counts = givenCounts ?? Array.from({ length: ranks.size }, () => lengthOf(part));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const problem =
    part.dtype !== whole.dtype
      ? `${part.dtype} and ${whole.dtype} do not go together`
      : counts.length !== ranks.size
        ? `${counts.length} counts for ${ranks.size} ranks`
        : counts[ranks.rank] !== lengthOf(part)
          ? `rank ${ranks.rank} has ${lengthOf(part)} elements, its count is ${counts[ranks.rank]}`
          : total !== lengthOf(whole)
            ? `${lengthOf(whole)} elements do not hold ${counts.join(' + ')}`
            : undefined;
  if (problem !== undefined) throw badArgument(label, problem);
  return counts;
}

/** Where the elements of each rank begin. */
export function startsOf(counts: readonly number[]): readonly number[] {
  let start = 0;
  return counts.map((count) => {
    start += count;
    return start - count;
  });
}

/** @throws AnemoneError `distributed.argument` where there is no such rank */
export function checkRank(rank: number, size: number, label: string): void {
  if (Number.isInteger(rank) && rank >= 0 && rank < size) return;
  throw badArgument(label, `there is no rank ${rank} among ${size}`);
}

export function badArgument(label: string, message: string): AnemoneError {
  return new AnemoneError({ code: 'distributed.argument', path: label, message });
}
