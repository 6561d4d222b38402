// Reads the attributes of operators.
import type { NativeAttributes } from '../scope.js';

/** A whole number. */
export function numberOf(attributes: NativeAttributes, key: string, byDefault: number): number {
  const value = attributes[key];
  return typeof value === 'number' ? value : byDefault;
}

/** A float, as single precision holds it. */
export function fractionOf(attributes: NativeAttributes, key: string, byDefault: number): number {
  const value = attributes[key];
  return Math.fround(typeof value === 'object' && 'float' in value ? value.float : byDefault);
}
