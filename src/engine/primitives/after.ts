// Order by dependence: when a value is computed decides how long others must be kept.
import { currentScope, ordersByDependence } from '../scope.js';
import type { Tensor } from '../tf.js';

/**
 * `x`, known once `others` are: what is computed of it is computed after them. Nothing is copied and nothing else changes.
 * It has no gradient: use it inside `tf.customGrad`.
 */
export function after(x: Tensor, others: readonly Tensor[]): Tensor {
  return others.length === 0 ? x : currentScope().after(x, others);
}

/** As `after`, where the engine keeps that order; else `x`, at once. For what is not needed, but saves memory. */
export function later(x: Tensor, others: readonly Tensor[]): Tensor {
  return ordersByDependence() ? after(x, others) : x;
}
