// The two ways to ONNX Runtime, for tests that hold on both.
import { afterAll, beforeAll } from 'vitest';

export const WAYS = ['capi', 'binding'] as const;
export type Way = (typeof WAYS)[number];

/** Sessions that `fn` makes go this way. */
export async function byWay<T>(way: Way, fn: () => Promise<T>): Promise<T> {
  const restore = take(way);
  try {
    return await fn();
  } finally {
    restore();
  }
}

/** Makes sessions of the suite around go this way. */
export function takeWay(way: Way): void {
  let restore = (): void => {};
  beforeAll(() => {
    restore = take(way);
  });
  afterAll(() => restore());
}

function take(way: Way): () => void {
  const before = process.env['ANEMONE_ORT'];
  process.env['ANEMONE_ORT'] = way;
  return () => {
    if (before === undefined) delete process.env['ANEMONE_ORT'];
    else process.env['ANEMONE_ORT'] = before;
  };
}
