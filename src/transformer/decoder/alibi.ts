// Linear biases of attention (Press et al. 2022, ALiBi): the score of a key falls with its distance from the query, in each head at
// a slope of its own, and there are no other positions.

/**
 * Slopes of N heads, as in the paper and in NeMo: 2^(−8/N), its square, its cube, … where N is a power of two; otherwise those of the
 * power below, then every other one of twice that power.
 */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const powers = (count: number): number[] =>
    Array.from({ length: count }, (_, i) => 2 ** ((-8 * (i + 1)) / count));
  const between = powers(2 * whole).filter((_, i) => i % 2 === 0);
  return [...powers(whole), ...between.slice(0, heads - whole)];
}
