// Which token comes next: the likeliest, or one drawn from what temperature, penalties, top-k, top-p and min-p leave, in NeMo's
// order (text_generation_utils.py).
import { CounterRandom } from '../../random/index.js';
import { argmax, likeliest } from './likeliest.js';

/** How a token is chosen. */
export interface SamplingOptions {
  /** The likeliest token. Default true where nothing says how to draw. */
  readonly greedy?: boolean;
  /** Logits are divided by it. Default 1. */
  readonly temperature?: number;
  /** Only so many of the likeliest tokens, and those as likely as the last of them; 0: all. Default 0. */
  readonly topK?: number;
  /** Only the likeliest tokens that together have this probability (Holtzman et al. 2020). Default 1. */
  readonly topP?: number;
  /** Only tokens with this share of the likeliest one's probability (Nguyen et al. 2024). Default 0. */
  readonly minP?: number;
  /** Logits of tokens that occurred, in the prompt too, are divided by it, negative ones too, as in NeMo. Default 1. */
  readonly repetitionPenalty?: number;
  /** Taken from the logits of tokens that were written. Default 0. */
  readonly presencePenalty?: number;
  /** Taken from the logits of tokens that were written, once for each time. Default 0. */
  readonly frequencyPenalty?: number;
  /** Default 0. The same for a text whatever others are generated beside it. */
  readonly seed?: number;
}

/** Whether the likeliest token is taken. */
export function isGreedy({ greedy, temperature, topK = 0, topP, minP }: SamplingOptions): boolean {
  return greedy ?? (temperature === undefined && topK === 0 && topP === undefined && minP === undefined);
}

/**
 * The next token of a text: the likeliest, or one that is drawn.
 * @param logits [V] of one text; they are changed
 * @param seen tokens of the text, the last `place` of which were written
 * @param place of the token among those that are written, which with the stream decides what is drawn
 * @param stream that numbers are drawn from. Default: that of `seed`
 */
export function nextToken(
  logits: Float32Array,
  options: SamplingOptions,
  seen: readonly number[],
  place: number,
  stream: CounterRandom = new CounterRandom(options.seed ?? 0).derive('token'),
): number {
  const { temperature = 1 } = options;
  const greedy = isGreedy(options);
  punishWritten(logits, options, seen, place);
  if (!greedy && temperature !== 1) for (let i = 0; i < logits.length; i++) logits[i] /= temperature;
  const { repetitionPenalty = 1 } = options;
  if (repetitionPenalty !== 1) for (const id of new Set(seen)) logits[id] /= repetitionPenalty;
  return greedy ? argmax(logits) : drawn(logits, options, stream.uniform(place));
}

/** Presence and frequency penalties are about logits as the model gives them. */
function punishWritten(
  logits: Float32Array,
  { presencePenalty = 0, frequencyPenalty = 0 }: SamplingOptions,
  seen: readonly number[],
  place: number,
): void {
  if (place === 0 || (presencePenalty === 0 && frequencyPenalty === 0)) return;
  const counts = new Map<number, number>();
  for (const id of seen.slice(-place)) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) logits[id] -= presencePenalty + count * frequencyPenalty;
}

/** @param uniform in [0, 1) */
function drawn(
  logits: Float32Array,
  { topK = 0, topP = 1, minP = 0 }: SamplingOptions,
  uniform: number,
): number {
  const best = argmax(logits);
  const highest = logits[best];
  if (highest === Number.POSITIVE_INFINITY) return best;
  const weight = (id: number): number => Math.exp(logits[id] - highest);
  if (topK === 0 && topP >= 1 && minP === 0) return fromAll(logits, weight, uniform);
  const ids = topK > 0 ? firstOf(logits, highest, topK) : headOf(logits, highest, weight, topP, minP);
  const weights = Float64Array.from(ids, weight);
  // Without top-k the mass is that of all tokens.
  const mass = topK > 0 || topP >= 1 ? sumOf(weights) : massOf(logits, weight);
  const kept = countKept(weights, topP < 1 ? topP * mass : Number.POSITIVE_INFINITY, minP);
  let left = uniform * sumOf(weights.subarray(0, kept));
  for (let i = 0; i < kept; i++) {
    left -= weights[i];
    if (left < 0) return ids[i];
  }
  return ids[kept - 1];
}

function fromAll(logits: Float32Array, weight: (id: number) => number, uniform: number): number {
  let left = uniform * massOf(logits, weight);
  let last = 0;
  for (let id = 0; id < logits.length; id++) {
    const own = weight(id);
    if (own === 0) continue;
    last = id;
    left -= own;
    if (left < 0) return id;
  }
  return last;
}

/** The `count` likeliest, and those as likely as the last of them. */
function firstOf(logits: Float32Array, highest: number, count: number): Uint32Array {
  const ids = likeliest(logits, highest, ({ length }) => length >= count);
  let end = Math.min(count, ids.length);
  while (end < ids.length && logits[ids[end]] === logits[ids[end - 1]]) end++;
  return ids.subarray(0, end);
}

/** Enough of the likeliest tokens that what top-p and min-p leave is among them. */
function headOf(
  logits: Float32Array,
  highest: number,
  weight: (id: number) => number,
  topP: number,
  minP: number,
): Uint32Array {
  const wanted = topP < 1 ? topP * massOf(logits, weight) : Number.POSITIVE_INFINITY;
  return likeliest(logits, highest, (ids) => {
    const last = weight(ids[ids.length - 1]);
    return last < minP || (topP < 1 && sumOf(Float64Array.from(ids, weight)) > wanted);
  });
}

/** How many of the largest weights are left: up to the one that makes their sum exceed `wanted`, and none below min-p. */
function countKept(weights: Float64Array, wanted: number, minP: number): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    if (i > 0 && weights[i] < minP * weights[0]) return i;
    sum += weights[i];
    if (sum > wanted) return i + 1;
  }
  return weights.length;
}

function massOf(logits: Float32Array, weight: (id: number) => number): number {
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += weight(id);
  return sum;
}

function sumOf(weights: Float64Array): number {
  return weights.reduce((a, b) => a + b, 0);
}
