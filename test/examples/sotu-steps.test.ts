import { describe, expect, it } from 'vitest';
import { ONCE, stepsThatFit } from '../../examples/sotu/steps.js';

describe('the length of the quickstart for language models', () => {
  it.each([
    [0, 1],
    [9e10, 1], // two cores without AVX-512
    [1.5e11, 2],
    [3.3e11, 5], // two cores with it
    [1e13, 5],
  ])('at %d operations a second is %d times through the text', (rate, times) => {
    expect(stepsThatFit(rate)).toBe(times * ONCE);
    expect(stepsThatFit(rate) % 4).toBe(0);
  });
});
