// Weights of 8 or 4 bits for generation: products read a quarter or an eighth of the memory. Blocks of 32
// weights have a scale each, as in llama.cpp's Q8_0 and Q4_0; within a product activations are rounded to 8 bits, as there.
import { type Engine, type QuantizedMatrix, quantizeRows } from '../../engine/index.js';
import { QuantizedWeights } from '../../nn/index.js';
import type { LanguageNetwork } from '../network.js';

/** Bits of a weight. */
export type WeightBits = 8 | 4;

/** What rounding costs, as √(Σ (w − ŵ)² / Σ w²). */
export interface RoundingError {
  readonly bits: WeightBits;
  /** Over all weights that were rounded. */
  readonly error: number;
  /** Of the matrix that lost most. */
  readonly worst: { readonly name: string; readonly error: number };
}

/** Weights of a network that stand in for its own. */
export interface WeightOnly extends RoundingError {
  /** What is traced inside computes products with them. */
  readonly tracing: <R>(fn: () => R) => R;
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
  let worst = { name: '', error: -1 };
  for (const parameter of network.matrices()) {
    const [rows, columns] = parameter.shape as [number, number];
    const { matrix, squared, lost } = quantizeRows((await engine.read(parameter)) as Float32Array, [rows, columns], bits); // biome-ignore format: one line
    matrices.push([parameter.name, matrix]);
    squares += squared;
    errors += lost;
    const error = relative(lost, squared);
    if (error > worst.error) worst = { name: parameter.name, error };
  }
  const weights = new QuantizedWeights(matrices);
  await weights.write(engine);
  return {
    tracing: (fn) => weights.standIn(fn),
    bits,
    error: relative(errors, squares),
    worst,
    release: () => weights.release(engine),
  };
}

function relative(lost: number, squared: number): number {
  return squared === 0 ? 0 : Math.sqrt(lost / squared);
}
