// Merging of buffers against NeMo's own classes (test/golden/scripts/nemo_buffer_merge.py), and in models.
import { afterAll, describe, expect, it } from 'vitest';
import {
  EncDecCTCModel,
  EncDecRNNTModel,
  type SpeechModel,
  type Transcript,
} from '../../../src/asr/index.js';
import { BufferMerger } from '../../../src/asr/streaming/buffer-merge.js';
import { overlapLength } from '../../../src/asr/streaming/lcs-overlap.js';
import { OnnxEngine } from '../../../src/engine/index.js';
import { golden } from '../golden.js';
import { tinyModel, toneSpeech } from '../support.js';

type Found = readonly (readonly [frame: number, token: number])[];

interface Stream {
  readonly size: number;
  readonly chunk: number;
  readonly delay: number;
  readonly overlap: number;
  readonly buffers: readonly Found[];
  readonly middle: readonly number[];
  readonly lcs: readonly number[];
  readonly tdt: readonly number[];
}

const { overlaps, streams } = golden<{
  readonly overlaps: readonly (readonly [number[], number[], number])[];
  readonly streams: readonly Stream[];
}>('buffer_merge');

describe('overlapLength', () => {
  it("cuts where NeMo's longest_common_subsequence_merge does", () => {
    const wrong = overlaps.filter(([known, fresh, cut]) => overlapLength(known, fresh) !== cut);
    expect(overlaps.length).toBe(400);
    expect(wrong).toEqual([]);
  });

  it('sees the plain cases', () => {
    expect(overlapLength([1, 2, 3, 4], [3, 4, 5])).toBe(2);
    expect(overlapLength([1, 2, 3, 4], [5, 6])).toBe(0);
    expect(overlapLength([1, 2, 3, 4, 9], [2, 3, 4, 8, 7])).toBe(3);
    // One token in common, and not at the end, is chance.
    expect(overlapLength([1, 2, 3], [2, 7, 8])).toBe(0);
    expect(overlapLength([], [1])).toBe(0);
  });
});

describe.each(['middle', 'lcs', 'tdt'] as const)('%s', (how) => {
  it("makes the texts of NeMo's class", () => {
    for (const { size, chunk, delay, overlap, buffers, [how]: wanted } of streams) {
      const merger = new BufferMerger(how === 'tdt' ? 'middle' : how, overlap);
      const from = size - 1 - delay;
      buffers.forEach((found, i) => {
        const frames = found.map(([frame]) => frame);
        const durations = how === 'tdt' ? { durations: frames.map(() => 1) } : {};
        const hypothesis = { tokens: found.map(([, token]) => token), frames, score: 0, ...durations };
        merger.add({ hypothesis, start: i * chunk, from, to: from + chunk });
      });
      expect(merger.hypothesis().tokens).toEqual(wanted);
    }
  });
});

it('keeps a lone token of a TDT chunk, which NeMo drops', () => {
  const merger = new BufferMerger('middle', 4);
  const add = (start: number, token: number) =>
    merger.add({
      hypothesis: { tokens: [token], frames: [5], durations: [1], score: -1 },
      start,
      from: 4,
      to: 8,
    });
  add(0, 3);
  add(4, 5);
  expect(merger.hypothesis()).toMatchObject({ tokens: [3, 5], frames: [5, 9], durations: [1, 1], score: -2 });
});

describe('in a model', () => {
  const engine = new OnnxEngine({ threads: 1 });
  afterAll(() => engine.dispose());
  const { preprocessor, encoder } = tinyModel() as unknown as { preprocessor: object; encoder: object };
  const near = {
    preprocessor: { ...preprocessor, normalize: 'NA' },
    encoder: { ...encoder, att_context_size: [2, 2] },
  };
  const ctc = { decoder: { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' }, joint: undefined };
  const models: readonly [string, () => SpeechModel][] = [
    ['CTC', () => EncDecCTCModel.fromConfig(tinyModel({ ...near, ...ctc }), { seed: 3, engine })],
    ['transducer', () => EncDecRNNTModel.fromConfig(tinyModel(near), { seed: 5, engine })],
  ];

  it.each(models)('%s: merged texts are nearly that of the whole', async (name, make) => {
    const model = make();
    for (const [key, state] of model.stateDict()) {
      if (!/^encoder\.layers\..*norm_out.weight$/.test(key)) continue;
      await engine.write(
        state,
        Float32Array.from({ length: 16 }, (_, i) => 3 + Math.sin(i)),
      );
    }
    const audio = toneSpeech('abcab acb a', 1);
    const [whole] = await model.transcribe([audio], { batchSize: 1 });
    expect(whole.tokens.length).toBeGreaterThan(5);
    const options = { chunkSeconds: 0.8, bufferSeconds: 1.44, batchSize: 3, merge: 'middle' } as const;
    const [middle] = await model.transcribe([audio], options);
    const [lcs] = await model.transcribe([audio], { ...options, merge: 'lcs' });
    const said = ({ tokens }: Transcript) => tokens.map(({ token }) => token);
    // CTC says of a frame what it says of it in the whole, as far as it sees; a transducer starts anew in each buffer.
    const allowed = name === 'CTC' ? 0 : whole.tokens.length / 3;
    expect(distance(said(middle), said(whole))).toBeLessThanOrEqual(allowed);
    expect(middle.tokens.at(-1)?.seconds).toBeGreaterThan(2);
    expect(lcs.tokens.length).toBeGreaterThan(2);
    // Sides of many frames are what makes buffers agree, and a single buffer agrees with itself.
    const [one] = await model.transcribe([audio], { chunkSeconds: 9, merge: 'lcs' });
    expect(said(one)).toEqual(said(whole));
    await expect(model.transcribe([audio], { ...options, merge: 'none' as never })).rejects.toMatchObject({
      code: 'streaming.merge',
    });
  });
});

function distance(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  a.forEach((x, i) => {
    const next = [i + 1];
    b.forEach((y, j) => {
      next.push(Math.min(row[j] + (x === y ? 0 : 1), row[j + 1] + 1, next[j] + 1));
    });
    row = next;
  });
  return row[b.length];
}
