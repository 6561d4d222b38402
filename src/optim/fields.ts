// Config fields that optimizers and schedules share.
import { customFormat } from '../config/index.js';

/** A list of exactly these many numbers from 0 up, below `below` where that is given. */
function numbers<T extends readonly number[]>(count: number, below = Number.POSITIVE_INFINITY) {
  const isBounded = below < Number.POSITIVE_INFINITY;
  const inside = (x: unknown) => typeof x === 'number' && x >= 0 && x < below;
  return customFormat<T>(
    `a list of ${count} numbers ≥ 0${isBounded ? ` and < ${below}` : ''}`,
    (value) => {
      if (!Array.isArray(value) || value.length !== count) throw new Error('');
      const wrongValue = value.find((x) => !inside(x));
      if (wrongValue !== undefined) throw new Error(`${String(wrongValue)} is not one`);
      return value as unknown as T;
    },
    {
      type: 'array',
      items: { type: 'number', minimum: 0, ...(isBounded && { exclusiveMaximum: below }) },
      minItems: count,
      maxItems: count,
    },
  );
}

const twoSizes = numbers<readonly [number, number]>(2);
const twoShares = numbers<readonly [number, number]>(2, 1);
const threeShares = numbers<readonly [number, number, number]>(3, 1);

export const pairField = (doc: string, a: number, b: number) =>
  ({ doc, format: twoSizes, default: [a, b] as const }) as const;

/** What stays of two running means at each step: 1 would never take anything in. */
export const decayPairField = (doc: string, a: number, b: number) =>
  ({ doc, format: twoShares, default: [a, b] as const }) as const;

export const decayTripleField = (doc: string, a: number, b: number, c: number) =>
  ({ doc, format: threeShares, default: [a, b, c] as const }) as const;

export const numberField = (doc: string, value: number) =>
  ({ doc, format: 'number', default: value }) as const;

/** A number that may not be negative. */
export const sizeField = (doc: string, value: number) =>
  ({ doc, format: 'number', min: 0, default: value }) as const;

/** A share of the whole. */
export const partField = (doc: string, value: number) =>
  ({ doc, format: 'number', min: 0, max: 1, default: value }) as const;

export const flagField = (doc: string, value: boolean) =>
  ({ doc, format: 'boolean', default: value }) as const;

export const countField = (doc: string) => ({ doc, format: 'nat', nullable: true, default: null }) as const;

export const shareField = (doc: string) =>
  ({ doc, format: 'number', min: 0, max: 1, nullable: true, default: null }) as const;
