// Sizes of chunks and caches, and the encoder's output step by step, against NeMo's cache_aware_stream_step.
import { afterAll, describe, expect, it } from 'vitest';
import { type StreamingSizes, streamingSizes } from '../../../src/asr/encoders/chunk-plan.js';
import { ConformerEncoder, type ConformerEncoderConfig } from '../../../src/asr/index.js';
import { createReferenceEngine } from '../../../src/engine/index.js';
import { maxDifference } from '../../nn/support.js';
import { formula, golden, writeFormulaWeights } from '../golden.js';
import { streamed } from './support.js';

interface StreamingGolden {
  readonly config: ConformerEncoderConfig;
  readonly frames: number;
  readonly sizes: StreamingSizes;
  /** Encoded frames of each step, [steps][frames][d]. */
  readonly steps: number[][][];
}

const engine = createReferenceEngine();
afterAll(() => engine.dispose());

const file = golden<Readonly<Record<string, StreamingGolden>>>('streaming');

describe.each(Object.entries(file))('%s', (_, { config, frames, sizes, steps }) => {
  const encoder = new ConformerEncoder({ ...config, nemo_compat: '1.x' });

  it('is cut as NeMo cuts it', () => {
    expect(streamingSizes(encoder.chunkPlan())).toEqual(sizes);
  });

  it('gives in each step what NeMo gives', async () => {
    await writeFormulaWeights(engine, encoder, [...encoder.stateDict().keys()].sort());
    const bins = config.feat_in;
    const raw = formula(bins * frames, (i) => Math.sin(0.37 * i + 0.2));
    const x = formula(bins * frames, (i) => raw[(i % bins) * frames + Math.floor(i / bins)]);
    const [first, then] = [sizes.shiftSize].flat().concat(sizes.shiftSize);
    const ahead = [sizes.chunkSize].flat()[0] - [sizes.shiftSize].flat()[0];
    const { encoded, progress } = await streamed(engine, encoder, [x], bins, [first + ahead, ...Array(99).fill(then)]); // biome-ignore format: one line reads better
    // Where the end leaves less than the look-ahead, NeMo's caches lose frames; ours gives what the whole gives.
    const checked = encoded[0].length - sizes.cacheDropSize * config.d_model;
    expect(maxDifference(encoded[0].subarray(0, checked), steps.flat(2).slice(0, checked))).toBeLessThan(
      1e-5,
    );
    expect(encoded[0].length).toBe(steps.flat(2).length);
    // The end comes in one step here, where NeMo takes several for the frames that were looked ahead at.
    const known = progress.flat().slice(0, -1);
    const sums = steps.map((__, n) => steps.slice(0, n + 1).flat().length);
    expect(known).toEqual(sums.slice(0, known.length));
  });
});
