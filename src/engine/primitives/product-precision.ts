// How many bits the products of a part of a program have.
import { gradientsWithin } from '../autodiff/tape.js';
import { type LowType, withProductType } from '../precision.js';

/** Operations inside a part whose precision is said; the innermost counts. */
const decided = new WeakSet<object>();

/**
 * Runs `fn`, whose matrix products and convolutions, and those of its gradients, are computed in full precision in programs
 * that compute others in 16 bits: for losses, statistics, and products that only choose rows, in which a number that 16 bits do
 * not hold must stay what it is. Source: `torch.autocast(enabled=False)`.
 */
export function inFullPrecision<R>(fn: () => R): R {
  return within(undefined, fn);
}

/** Runs `fn`, whose products, and those of its gradients, are computed in `type`. Source: `torch.autocast`. */
export function inLowPrecision<R>(type: LowType, fn: () => R): R {
  return within(type, fn);
}

function within<R>(type: LowType | undefined, fn: () => R): R {
  const run = <T>(inner: () => T): T => withProductType(type, inner);
  return gradientsWithin(run, () => run(fn), decided);
}
