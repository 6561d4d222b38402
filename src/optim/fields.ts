// Config fields that optimizers and schedules share.
import { customFormat } from '../config/index.js';

/** A list of exactly these many numbers, typed as the tuple of `example`. */
function numbers<T extends readonly number[]>(count: number) {
  return customFormat<T>(
    `a list of ${count} numbers`,
    (value) => {
      const fits =
        Array.isArray(value) && value.length === count && value.every((x) => typeof x === 'number');
      if (!fits) throw new Error('');
      return value as unknown as T;
    },
    { type: 'array', items: { type: 'number' }, minItems: count, maxItems: count },
  );
}

const two = numbers<readonly [number, number]>(2);
const three = numbers<readonly [number, number, number]>(3);

export const pairField = (doc: string, a: number, b: number) =>
  ({ doc, format: two, default: [a, b] as const }) as const;

export const tripleField = (doc: string, a: number, b: number, c: number) =>
  ({ doc, format: three, default: [a, b, c] as const }) as const;

export const numberField = (doc: string, value: number) =>
  ({ doc, format: 'number', default: value }) as const;

/** A number that may not be negative. */
export const sizeField = (doc: string, value: number) =>
  ({ doc, format: 'number', min: 0, default: value }) as const;

export const flagField = (doc: string, value: boolean) =>
  ({ doc, format: 'boolean', default: value }) as const;

export const countField = (doc: string) => ({ doc, format: 'nat', nullable: true, default: null }) as const;

export const shareField = (doc: string) =>
  ({ doc, format: 'number', min: 0, max: 1, nullable: true, default: null }) as const;
