import { describe, expect, it } from 'vitest';
import type { BatchOutline, BatchSource } from '../../../src/model/index.js';
import { checkMemory } from '../../../src/training/fit/memory-check.js';

const MIB = 2 ** 20;
const shapes = (size: number) => ({ x: { dtype: 'float32' as const, shape: [size] } });
const outline: BatchOutline = {
  inputs: shapes(16),
  size: 16,
  text: '16 × something',
  inputsFor: shapes,
  advice: (size) => `at most ${size}`,
};
const source = { name: 'train_ds', largestBatch: () => outline } as unknown as BatchSource;

/** 100 MiB an example and 200 MiB of weights. */
const programs = {
  memoryOf: (inputs: Readonly<Record<string, { readonly shape: readonly number[] }>>) => ({
    live: 100 * MIB * inputs['x'].shape[0],
    states: 200 * MIB,
  }),
};

function check(availableMib: number): string[] {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  checkMemory({ source, programs, accumulates: false, say, available: availableMib * MIB });
  return said;
}

describe('checkMemory', () => {
  it('says what the largest batch takes', () => {
    expect(check(9000)).toEqual([
      'train_ds: a step of the largest batch (16 × something) takes about 3.3 GiB, 8.8 GiB are free',
    ]);
  });

  it('warns between what is needed and what is expected', () => {
    expect(check(2000)[0]).toMatch(/may not fit/);
  });

  it('refuses what cannot fit and says what would', () => {
    // 1 GiB: 2 × 100 MiB × n + 200 MiB ≤ 1024 MiB for n up to 4.
    expect(() => check(1024)).toThrow(
      expect.objectContaining({ code: 'trainer.memory', path: 'train_ds', hint: 'at most 4' }),
    );
    expect(() => check(210)).toThrow(expect.objectContaining({ hint: 'at most 0' }));
  });

  it('is silent where a source or an engine does not know', () => {
    const unknown = { name: 'train_ds' } as unknown as BatchSource;
    const said: string[] = [];
    const say = (line: string) => said.push(line);
    checkMemory({ source: unknown, programs, accumulates: false, say, available: 1 });
    checkMemory({ source, programs: { memoryOf: () => undefined }, accumulates: false, say, available: 1 });
    expect(said).toEqual([]);
  });
});
