// Numbers given as options of the command line, checked while it is parsed: before a model is loaded or trained for it.
import { InvalidArgumentError } from 'commander';

/** A parser of options that count something. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`expected an integer ≥ ${minimum}.`);
    }
    return value;
  };
}

/** Seconds, for instance. */
export function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('expected a number that is not negative.');
  }
  return value;
}

/** A parser of numbers above one bound, and at most another. */
export function above(least: number, most = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value > least && value <= most) return value;
    throw new InvalidArgumentError(
      `expected a number above ${least}${most < Number.POSITIVE_INFINITY ? `, at most ${most}` : ''}.`,
    );
  };
}

/** A parser of numbers from one bound to another. */
export function between(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a number from ${least} to ${most}.`);
  };
}

/** Any number. */
export function finite(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('expected a number.');
}

/** A parser of some numbers alone. */
export function oneOf(values: readonly number[]): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && values.includes(value)) return value;
    throw new InvalidArgumentError(`expected ${values.join(' or ')}.`);
  };
}
