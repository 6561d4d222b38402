// The two ways to ONNX Runtime, for tests that hold on both.
import { afterAll, beforeAll } from 'vitest';

export const WAYS = ['capi', 'binding'] as const;

/** Makes sessions of the suite around go this way. */
export function takeWay(way: (typeof WAYS)[number]): void {
  const before = process.env['ANEMONE_ORT'];
  beforeAll(() => {
    process.env['ANEMONE_ORT'] = way;
  });
  afterAll(() => {
    if (before === undefined) delete process.env['ANEMONE_ORT'];
    else process.env['ANEMONE_ORT'] = before;
  });
}
