// Which lengths batches may have. Every distinct shape is a compilation, so lengths are rounded up to a few
// rungs; the rungs are placed where they cost the least padding. Not about which utterance goes where.

/** Rungs are multiples of this: whole SIMD registers, and subsampling by 8 leaves no rest. */
export const FRAME_MULTIPLE = 8;
export const TOKEN_MULTIPLE = 4;

/** Candidate positions of a rung; more would not change the result visibly. */
const CANDIDATES = 256;

/**
 * At most `count` rungs, ascending, the last at or above the largest length, such that rounding all lengths
 * up to a rung pads as little as possible (dynamic programming over a histogram).
 */
export function optimalRungs(lengths: ArrayLike<number>, count: number, multiple = FRAME_MULTIPLE): number[] {
  if (lengths.length === 0) return [];
  let longest = 0;
  for (let i = 0; i < lengths.length; i++) longest = Math.max(longest, lengths[i]);
  const step = multiple * Math.max(1, Math.ceil(longest / multiple / CANDIDATES));
  const bins = Math.max(1, Math.ceil(longest / step));
  // For each candidate j: how many utterances there are up to it, and the sum of their lengths.
  const counts = new Float64Array(bins + 1);
  for (let i = 0; i < lengths.length; i++) counts[Math.max(1, Math.ceil(lengths[i] / step))]++;
  for (let j = 1; j <= bins; j++) counts[j] += counts[j - 1];
  // cost[j]: padded frames of everything up to candidate j, its last rung at j. from[k][j]: the rung before.
  let cost = Float64Array.from({ length: bins + 1 }, (_, j) => counts[j] * j);
  const from: Int32Array[] = [new Int32Array(bins + 1)];
  const best = [cost[bins]];
  for (let k = 1; k < Math.min(count, bins); k++) {
    const next = new Float64Array(bins + 1);
    const previousCuts = new Int32Array(bins + 1);
    for (let j = 0; j <= bins; j++) {
      next[j] = Number.POSITIVE_INFINITY;
      for (let i = 0; i <= j; i++) {
        const total = cost[i] + (counts[j] - counts[i]) * j;
        if (total < next[j]) {
          next[j] = total;
          previousCuts[j] = i;
        }
      }
    }
    from.push(previousCuts);
    best.push(next[bins]);
    cost = next;
  }
  const rungs: number[] = [];
  for (let k = from.length - 1, j = bins; j > 0 && k >= 0; k--) {
    rungs.unshift(j * step);
    j = k === 0 ? 0 : from[k][j];
  }
  return [...new Set(rungs)];
}

/** Rungs from bucket bounds in a configuration, plus one for what is longer than the last bound. */
export function rungsFromBounds(
  bounds: readonly number[],
  longest: number,
  multiple = FRAME_MULTIPLE,
): number[] {
  const rungs = bounds.map((frames) => roundUp(frames, multiple));
  if (rungs.length === 0 || longest > rungs[rungs.length - 1]) rungs.push(roundUp(longest, multiple));
  return [...new Set(rungs)].sort((a, b) => a - b);
}

/** Fewer transcripts than this say nothing about what is usual. */
const FEW = 50;

/**
 * One or two token widths for a bucket: the largest transcript, and a lower rung where a few long
 * transcripts would otherwise widen every batch.
 */
export function tokenRungs(lengths: readonly number[]): number[] {
  if (lengths.length === 0) return [];
  const sortedLengths = [...lengths].sort((a, b) => a - b);
  const largest = roundUp(Math.max(1, sortedLengths[sortedLengths.length - 1]), TOKEN_MULTIPLE);
  const usual = roundUp(
    Math.max(1, sortedLengths[Math.floor(0.98 * (sortedLengths.length - 1))] * 1.05),
    TOKEN_MULTIPLE,
  );
  return lengths.length >= FEW && largest > 1.4 * usual ? [usual, largest] : [largest];
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** The smallest rung that holds `frames`; above the highest, rungs go on in steps of an eighth. */
export function roundUpToRung(frames: number, rungs: readonly number[]): number {
  const rung = rungs.find((r) => r >= frames);
  if (rung !== undefined) return rung;
  let top = Math.max(FRAME_MULTIPLE, rungs.at(-1) ?? 0);
  while (top < frames) top = roundUp(top * 1.125, FRAME_MULTIPLE);
  return top;
}
