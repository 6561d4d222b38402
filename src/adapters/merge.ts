// Low-rank adapters merged into the maps that they stand beside: W + (alpha / rank) · B·A takes the place of W.
import type { Engine } from '../engine/index.js';
import type { Linear } from '../nn/index.js';
import type { LowRankAdapter } from './low-rank-adapter.js';

type Weights = Pick<Engine, 'read' | 'write'>;

/** Adds what an adapter adds to the weight of its map, in `engine`. */
export async function mergeInto(map: Linear, adapter: LowRankAdapter, engine: Weights): Promise<void> {
  const weight = Float32Array.from((await engine.read(map.weight)) as Float32Array);
  for (const [part, { rank, narrow, wide }] of adapter.pairs) {
    const [a, b] = [await engine.read(narrow), await engine.read(wide)] as [Float32Array, Float32Array];
    addLowRank(weight, rowsOf(map, part), { a, b, rank, scale: adapter.scale });
  }
  await engine.write(map.weight, weight);
}

/** The two maps of an adapter, and the factor of their product. */
export interface LowRankProduct {
  /** [rank, in] */
  readonly a: Float32Array;
  /** [rows, rank] */
  readonly b: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

/** weight [out, in]: its row `rows[i]` gets scale · (B·A)[i]. */
export function addLowRank(
  weight: Float32Array,
  rows: readonly number[],
  { a, b, rank, scale }: LowRankProduct,
): void {
  const columns = a.length / rank;
  const sum = new Float64Array(columns);
  for (let i = 0; i < rows.length; i++) {
    sum.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = b[i * rank + k];
      if (factor !== 0)
        for (let j = 0, from = k * columns; j < columns; j++, from++) sum[j] += factor * a[from];
    }
    for (let j = 0, to = rows[i] * columns; j < columns; j++, to++) weight[to] += scale * sum[j];
  }
}

/** Rows of the weight that belong to a part, in order; `''` is the whole map. */
export function rowsOf({ rows, outFeatures }: Pick<Linear, 'rows' | 'outFeatures'>, part: string): number[] {
  if (part === '' || !rows) return Array.from({ length: outFeatures }, (_, i) => i);
  const perGroup = rows.parts.reduce((sum, { rows }) => sum + rows, 0);
  let before = 0;
  for (const { name, rows: count } of rows.parts) {
    if (name === part)
      return Array.from({ length: rows.groups * count }, (_, i) => Math.floor(i / count) * perGroup + before + (i % count)); // biome-ignore format: one line
    before += count;
  }
  return [];
}
