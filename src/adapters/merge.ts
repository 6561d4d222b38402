// Low-rank adapters merged into the maps that they stand beside: W + (alpha / rank) · B·A takes the place of W.
import type { Engine } from '../engine/index.js';
import type { Linear } from '../nn/index.js';
import type { LowRankAdapter } from './low-rank-adapter.js';

type Weights = Pick<Engine, 'read' | 'write'>;

/** Adds what an adapter adds to the weight of its map, in `engine`. */
export async function mergeInto(map: Linear, adapter: LowRankAdapter, engine: Weights): Promise<void> {
  const weight = Float32Array.from((await engine.read(map.weight)) as Float32Array);
  const columns = map.inFeatures;
  for (const [part, { rank, narrow, wide }] of adapter.pairs) {
    const [a, b] = [await engine.read(narrow), await engine.read(wide)] as [Float32Array, Float32Array];
    const rows = rowsOf(map, part);
    for (const [row, at] of rows.entries()) {
      const out = weight.subarray(at * columns, (at + 1) * columns);
      addRow(out, b.subarray(row * rank, (row + 1) * rank), a, adapter.scale);
    }
  }
  await engine.write(map.weight, weight);
}

/** out += scale · b·A; b [r], a [r, columns]. */
function addRow(out: Float32Array, b: Float32Array, a: Float32Array, scale: number): void {
  const sum = new Float64Array(out.length);
  for (const [k, factor] of b.entries()) {
    if (factor === 0) continue;
    const row = a.subarray(k * out.length, (k + 1) * out.length);
    for (let j = 0; j < out.length; j++) sum[j] += factor * row[j];
  }
  for (let j = 0; j < out.length; j++) out[j] += scale * sum[j];
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
