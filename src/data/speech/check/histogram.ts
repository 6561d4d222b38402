// Histograms with round bounds, as data and as bars of text.
export interface HistogramBin {
  /** Inclusive. */
  readonly from: number;
  /** Exclusive, but for the last bin. */
  readonly to: number;
  readonly count: number;
}

/** How values are spread: counts between round bounds, and the usual statistics. */
export interface Histogram {
  readonly bins: readonly HistogramBin[];
  readonly minimum: number;
  readonly median: number;
  readonly mean: number;
  readonly percentile95: number;
  readonly maximum: number;
}

/** About `target` bins of a round width (1, 2 or 5 times a power of ten); undefined without values. */
export function histogram(values: readonly number[], target = 12): Histogram | undefined {
  if (values.length === 0) return undefined;
  const sortedValues = Float64Array.from(values).sort();
  const minimum = sortedValues[0];
  const maximum = sortedValues[sortedValues.length - 1];
  const width = roundWidth((maximum - minimum) / target);
  const first = Math.floor(minimum / width);
  const count = Math.max(1, Math.floor(maximum / width) - first + 1);
  const counts = new Array<number>(count).fill(0);
  for (const value of sortedValues) counts[Math.min(count - 1, Math.floor(value / width) - first)]++;
  const at = (share: number) =>
    sortedValues[Math.min(sortedValues.length - 1, Math.floor(share * sortedValues.length))];
  return {
    bins: counts.map((n, i) => ({
      from: tidy((first + i) * width),
      to: tidy((first + i + 1) * width),
      count: n,
    })),
    minimum,
    median: at(0.5),
    mean: sortedValues.reduce((sum, x) => sum + x, 0) / sortedValues.length,
    percentile95: at(0.95),
    maximum,
  };
}

/** Lines such as `  2.0–  4.0  ███████▌  120`. */
export function renderHistogram({ bins }: Histogram, unit: string, width = 40): string[] {
  const largestCount = Math.max(...bins.map((bin) => bin.count));
  const digits = bins.some((bin) => !Number.isInteger(bin.from)) ? 1 : 0;
  const label = (x: number) => x.toFixed(digits).padStart(6);
  return bins.map(({ from, to, count }) => {
    const bar = textBar((count / largestCount) * width);
    return `${label(from)} –${label(to)} ${unit}  ${bar.padEnd(width)}  ${count}`;
  });
}

/** A bar of eighths of a character. */
function textBar(length: number): string {
  const eighths = Math.round(length * 8);
  const rest = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
  const bar = '█'.repeat(Math.floor(eighths / 8)) + rest;
  return bar === '' && length > 0 ? '▏' : bar;
}

function roundWidth(raw: number): number {
  if (!(raw > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((s) => s * power >= raw * 0.999) ?? 10;
  return step * power;
}

/** Removes the dust of binary fractions. */
function tidy(x: number): number {
  return Number(x.toPrecision(12));
}
