// Weights of 8 or 4 bits for generation: products read a quarter or an eighth of the memory. Blocks of 32
// weights have a scale each, as in llama.cpp's Q8_0 and Q4_0; within a product activations are rounded to 8 bits, as there.
import { type Engine, type QuantizedMatrix, quantizeRows } from '../../engine/index.js';
import { QuantizedWeights } from '../../nn/index.js';
import type { LanguageNetwork } from '../network.js';

/** Bits of a weight. */
export type WeightBits = 8 | 4;

/** Weights of a network that stand in for its own. */
export interface WeightOnly {
  /** What is traced inside computes products with them. */
  readonly tracing: <R>(fn: () => R) => R;
  /** √(Σ (w − ŵ)² / Σ w²) over all weights that were rounded. */
  readonly error: number;
  /** Forgets them. */
  readonly release: () => void;
}

/** Rounds the matrices of a network's linear maps and of its head; embeddings, norms and biases stay. */
export async function weightOnly(
  network: LanguageNetwork,
  engine: Engine,
  bits: WeightBits,
): Promise<WeightOnly> {
  const matrices: (readonly [string, QuantizedMatrix])[] = [];
  let [squares, errors] = [0, 0];
  for (const parameter of network.matrices()) {
    const [rows, columns] = parameter.shape as [number, number];
    const { matrix, squared, lost } = quantizeRows((await engine.read(parameter)) as Float32Array, [rows, columns], bits); // biome-ignore format: one line
    matrices.push([parameter.name, matrix]);
    squares += squared;
    errors += lost;
  }
  const weights = new QuantizedWeights(matrices);
  await weights.write(engine);
  return {
    tracing: (fn) => weights.standIn(fn),
    error: Math.sqrt(errors / squares),
    release: () => weights.release(engine),
  };
}
