// What the heap is told: large blocks that are freed stay, and lie in large pages where these are asked for.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { keepFreedMemory, preferLargePages } from '../../src/engine/onnx/host-memory.js';
import { skipUnless } from '../skipping.js';

const BYTES = 48 * 2 ** 20;

/** Bytes of memory that is marked for large pages. */
function marked(): number {
  const areas = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const advised = areas.filter((area) => /^VmFlags:.* hg\b/m.test(area));
  return advised.reduce((sum, area) => sum + 1024 * Number(/^Size: +(\d+) kB/m.exec(area)?.[1]), 0);
}

describe('large pages', () => {
  skipUnless(keepFreedMemory(), 'memory is managed by no glibc, or koffi is not installed');

  it('are asked for in memory that the next large blocks take', () => {
    const before = marked();
    preferLargePages(BYTES);
    expect(marked() - before).toBeGreaterThan(BYTES - 2 ** 20);
  });

  it('are asked for at most once in the same memory', () => {
    const before = marked();
    preferLargePages(BYTES / 2);
    expect(marked() - before).toBeLessThan(2 ** 20);
  });
});
