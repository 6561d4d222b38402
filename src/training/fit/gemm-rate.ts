// How fast the engine multiplies matrices here and now, measured at the start of a run: what a step computes, divided by its
// time, is told as a share of it.
import { type Engine, float32, fusedMatMul } from '../../engine/index.js';

/** Rows and columns: large enough for the rate of large products, and done in some hundredths of a second. */
const SIZE = 768;
const RUNS = 4;

/** Floating-point operations a second of a large matrix product; undefined where the engine does not count them. */
export async function measureGemmRate(engine: Engine): Promise<number | undefined> {
  const program = engine.compile('gemm-rate', ({ a, b }) => ({ y: fusedMatMul(a, b) }));
  try {
    const matrix = () => float32(new Float32Array(SIZE * SIZE).fill(0.5), [SIZE, SIZE]);
    const inputs = { a: matrix(), b: matrix() };
    const flops = program.flops?.(inputs);
    if (flops === undefined) return undefined;
    await program.run(inputs);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < RUNS; i++) {
      const started = performance.now();
      await program.run(inputs);
      best = Math.min(best, (performance.now() - started) / 1000);
    }
    return flops / Math.max(best, 1e-9);
  } finally {
    program.dispose();
  }
}
