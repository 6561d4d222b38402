// Maps values to pixels and chooses where ticks stand.

export interface Scale {
  readonly ticks: readonly number[];
  /** Pixel of a value. */
  at(value: number): number;
}

/** Round ticks within [low, high], about `count` of them; for counts, `leastStep` is 1. */
export function linearTicks(low: number, high: number, count = 5, leastStep = 0): number[] {
  const span = high - low || Math.abs(high) || 1;
  const rough = Math.max(span / count, leastStep);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const ticks: number[] = [];
  // Adding 0 makes -0 a plain 0.
  for (let i = Math.ceil(low / step - 1e-9) + 0; i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return ticks;
}

/** A linear scale over the values, widened to whole ticks where `nice`. */
export function linearScale(
  values: readonly number[],
  pixels: readonly [number, number],
  options: { readonly nice?: boolean; readonly zero?: boolean; readonly counts?: boolean } = {},
): Scale {
  let low = Math.min(...values, ...(options.zero ? [0] : []));
  let high = Math.max(...values);
  if (!(high > low)) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const ticks = linearTicks(low, high, 5, options.counts ? 1 : 0);
  if (options.nice && ticks.length > 1) {
    const step = ticks[1] - ticks[0];
    if (ticks[0] > low + step * 1e-9) ticks.unshift(ticks[0] - step);
    if (ticks[ticks.length - 1] < high - step * 1e-9) ticks.push(ticks[ticks.length - 1] + step);
    [low, high] = [ticks[0], ticks[ticks.length - 1]];
  }
  const [from, to] = pixels;
  return { ticks, at: (value) => from + ((value - low) / (high - low)) * (to - from) };
}
