// Fills in and checks the settings of one optimizer or schedule against its table of defaults: unknown
// keys name the nearest known one, types must be those of the default. Not a general schema.
import { AnemoneError, didYouMean } from '../errors/index.js';

/** Given settings over defaults. A `null` default accepts null or a number. */
export function completeOptions<T extends object>(
  path: string,
  given: Readonly<Record<string, unknown>>,
  defaults: T,
): T {
  const known = new Map<string, unknown>(Object.entries(defaults));
  for (const [key, value] of Object.entries(given)) {
    if (!known.has(key)) throw unknownKey(`${path}.${key}`, key, known.keys());
    const expected = known.get(key);
    if (!sameKind(value, expected)) throw wrongType(`${path}.${key}`, value, expected);
  }
  return { ...defaults, ...given };
}

function sameKind(value: unknown, expected: unknown): boolean {
  if (expected === null) return value === null || typeof value === 'number';
  if (!Array.isArray(expected)) return typeof value === typeof expected;
  return (
    Array.isArray(value) &&
    value.length === expected.length &&
    value.every((element, i) => typeof element === typeof expected[i])
  );
}

function unknownKey(path: string, key: string, known: Iterable<string>): AnemoneError {
  const names = [...known];
  return new AnemoneError({
    code: 'config.unknown-key',
    path,
    message: 'unknown key',
    hint: didYouMean(key, names) ?? `known keys: ${names.join(', ')}`,
  });
}

function wrongType(path: string, value: unknown, expected: unknown): AnemoneError {
  return new AnemoneError({
    code: 'config.wrong-type',
    path,
    message: `expected ${describe(expected)}, got ${JSON.stringify(value)}`,
  });
}

function describe(expected: unknown): string {
  if (expected === null) return 'a number or null';
  return Array.isArray(expected) ? `${expected.length} numbers` : `a ${typeof expected}`;
}
