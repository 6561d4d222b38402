// How long the quickstart trains: as many times through the text as this machine does in the time that there is.
import { createEngine } from '../../src/engine/index.js';
import { measureGemmRate } from '../../src/training/fit/gemm-rate.js';

/** Once through the text, 2.9 million tokens. */
export const ONCE = 720;
/** Five times, 15 million tokens: more is not asked for. */
const MOST = 5;
/** Floating-point operations of a step of 4,096 tokens, and the share of the rate of large products that training reaches. */
const STEP_FLOPS = 2.8e10;
const SHARE = 0.6;
/** What data, tokenizer, validation and test leave of ten minutes. */
const SECONDS = 520;

/** Steps for a machine that multiplies matrices at so many operations a second: whole times through the text, at least once. */
export function stepsThatFit(rate: number): number {
  const steps = (SECONDS * SHARE * rate) / STEP_FLOPS;
  return ONCE * Math.min(MOST, Math.max(1, Math.floor(steps / ONCE)));
}

/** Steps for this machine, and its rate. */
export async function stepsOfThisMachine(): Promise<{ readonly steps: number; readonly rate: number }> {
  const engine = createEngine({});
  try {
    const rate = (await measureGemmRate(engine)) ?? 0;
    return { steps: stepsThatFit(rate), rate };
  } finally {
    await engine.dispose();
  }
}
