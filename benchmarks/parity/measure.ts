// What one comparison gives, and the arithmetic of differences. No models here.
import type { HostTensor } from '../../src/engine/index.js';

/** One number compared with its aim. */
export interface Result {
  readonly case: string;
  /** Which line of the table it belongs to. */
  readonly quantity: string;
  readonly value: number;
  /** What exactly was furthest off. */
  readonly detail?: string | undefined;
}

export interface Values {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** Along an axis only so many of each row [B] count: behind an utterance's end anything may stand. */
export interface Valid {
  readonly axis: number;
  readonly lengths: ArrayLike<number>;
}

/** Largest absolute difference of what counts; infinite where shapes differ or a number is none. */
export function furthest(
  found: HostTensor | undefined,
  wanted: Values,
  valid: readonly Valid[] = [],
): number {
  if (!found || found.shape.join() !== wanted.shape.join()) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < wanted.data.length; i++) {
    if (!counts(i, wanted.shape, valid)) continue;
    const difference = Math.abs(found.data[i] - wanted.data[i]);
    most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }
  return most;
}

/** The values with zeros where nothing counts. */
export function onlyValid(values: Values, valid: readonly Valid[]): Float32Array {
  return Float32Array.from(values.data, (value, i) => (counts(i, values.shape, valid) ? value : 0));
}

function counts(index: number, shape: readonly number[], valid: readonly Valid[]): boolean {
  if (valid.length === 0) return true;
  const place: number[] = [];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return valid.every(({ axis, lengths }) => place[axis] < lengths[place[0]]);
}

export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ** 2;
  return Math.sqrt(sum);
}

export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

export const relative = (found: number, wanted: number): number =>
  Math.abs(found - wanted) / Math.abs(wanted);
