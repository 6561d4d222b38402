// Numbers that are not finite in JSON, which has none: {"nonfinite": "NaN"}.
import { customFormat, isMapping } from '../config/index.js';

/** For JSON.stringify. */
export function spellNonfinite(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { nonfinite: String(value) } : value;
}

/** A number, spelled out where it is not finite. */
export const spelledNumber = customFormat('a number', (value) => {
  const number = numberOf(value);
  if (number === undefined) throw new Error();
  return number;
});

/** A value of any shape with the numbers that were spelled out in it. */
export const spelledValue = customFormat('any value', readSpelled);

function readSpelled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(readSpelled);
  const number = numberOf(value);
  if (number !== undefined) return number;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, readSpelled(child)]));
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (!isMapping(value) || Object.keys(value).length !== 1) return undefined;
  const spelled = value['nonfinite'];
  return ['NaN', 'Infinity', '-Infinity'].includes(spelled as string) ? Number(spelled) : undefined;
}
