// The likeliest of many tokens, without sorting them all.
import { AnemoneError } from '../../errors/index.js';

/** @throws AnemoneError `lm.logits` where there is no number to choose by */
export function argmax(values: Float32Array): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    if (values[i] > most) {
      most = values[i];
      best = i;
    }
  }
  if (best >= 0) return best;
  throw new AnemoneError({
    code: 'lm.logits',
    message: 'the model gives no token a probability: its logits are no numbers',
    hint: 'are its weights damaged?',
  });
}

/** How far below the highest logit is looked first: e^-8 of its probability; then further. */
const RANGES = [8, 16, 32, Number.POSITIVE_INFINITY];

/**
 * Tokens from the likeliest on, equal ones by number: as many as `enough` wants, or all that are possible.
 * @param enough asked with ever more of them
 */
export function likeliest(
  logits: Float32Array,
  highest: number,
  enough: (ids: Uint32Array) => boolean,
): Uint32Array {
  for (const range of RANGES) {
    const ids = within(logits, highest - range).sort((a, b) => logits[b] - logits[a] || a - b);
    if (range === Number.POSITIVE_INFINITY || enough(ids)) return ids;
  }
  throw new Error('the last range is endless');
}

/** Tokens with a logit from `least` on; those with -∞ are impossible. */
function within(logits: Float32Array, least: number): Uint32Array {
  const bound = Math.max(least, -Number.MAX_VALUE);
  const ids = new Uint32Array(logits.length);
  let count = 0;
  for (let id = 0; id < logits.length; id++) if (logits[id] >= bound) ids[count++] = id;
  return ids.subarray(0, count);
}

/** The logarithm of Σ exp, by which logits become log-probabilities. */
export function logSumExp(logits: Float32Array): number {
  const highest = logits[argmax(logits)];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - highest);
  return highest + Math.log(sum);
}
