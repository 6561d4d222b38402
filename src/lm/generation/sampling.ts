// Which token comes next: the likeliest, or one drawn from what temperature, penalty, top-k and top-p leave, in NeMo's order
// (text_generation_utils.py).
import { CounterRandom } from '../../random/index.js';

/** How a token is chosen. */
export interface SamplingOptions {
  /** The likeliest token. Default true where no other key is given. */
  readonly greedy?: boolean;
  /** Logits are divided by it. Default 1. */
  readonly temperature?: number;
  /** Only so many of the likeliest tokens; 0: all. Default 0. */
  readonly topK?: number;
  /** Only the likeliest tokens that together have this probability (Holtzman et al. 2020). Default 1. */
  readonly topP?: number;
  /** Logits of tokens that occurred are divided by it, negative ones too, as in NeMo. Default 1. */
  readonly repetitionPenalty?: number;
  /** Default 0. The same for a text whatever others are generated beside it. */
  readonly seed?: number;
}

/**
 * The next token of a text: the likeliest, or one that is drawn.
 * @param logits [V] of one text; they are changed
 * @param seen tokens of the text
 * @param place of the token in its text, which with the seed decides what is drawn
 */
export function nextToken(
  logits: Float32Array,
  options: SamplingOptions,
  seen: readonly number[],
  place: number,
): number {
  const { temperature = 1, topK = 0, topP = 1, repetitionPenalty: penalty = 1, seed = 0 } = options;
  const isGreedy =
    options.greedy ?? (options.temperature === undefined && topK === 0 && options.topP === undefined);
  if (isGreedy) return argmax(logits);
  for (let i = 0; i < logits.length; i++) logits[i] /= temperature;
  if (penalty !== 1) for (const id of new Set(seen)) logits[id] /= penalty;
  const order = Uint32Array.from(logits, (_, i) => i).sort((a, b) => logits[b] - logits[a] || a - b);
  const first = topK > 0 ? order.subarray(0, topK) : order;
  const highest = logits[first[0]];
  const weights = Float64Array.from(first, (id) => Math.exp(logits[id] - highest));
  const kept = withinMass(weights, topP);
  const total = weights.subarray(0, kept).reduce((a, b) => a + b, 0);
  let left = new CounterRandom(seed).derive('token').uniform(place) * total;
  for (let i = 0; i < kept; i++) {
    left -= weights[i];
    if (left < 0) return first[i];
  }
  return first[kept - 1];
}

/** How many of the largest weights have that share of the sum, the one included that reaches it. */
function withinMass(weights: Float64Array, share: number): number {
  if (share >= 1) return weights.length;
  const wanted = share * weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i];
    if (sum > wanted) return i + 1;
  }
  return weights.length;
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
