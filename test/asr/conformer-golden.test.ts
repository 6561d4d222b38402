import { describe, expect, it } from 'vitest';
import { ConformerEncoder, type ConformerEncoderConfig } from '../../src/asr/index.js';
import { createReferenceEngine, float32, int32, type Tensor } from '../../src/engine/index.js';
import { maxDifference } from '../nn/support.js';
import { formula, type GoldenArray, golden, writeFormulaWeights } from './golden.js';

interface ConformerGolden {
  readonly config: Omit<ConformerEncoderConfig, 'feat_in'> & { feat_in: number; T: number; lens: number[] };
  readonly state_keys_sorted: readonly string[];
  readonly shapes: Readonly<Record<string, number[]>>;
  readonly output: GoldenArray;
  readonly out_lengths: number[];
  readonly intermediate: Readonly<Record<string, GoldenArray>>;
}

const places: Readonly<Record<string, string>> = {
  pre_encode: 'pre_encode',
  'layer0.ff1': 'layers.0.feed_forward1',
  'layer0.self_attn': 'layers.0.self_attn',
  'layer0.conv': 'layers.0.conv',
  layer0: 'layers.0',
};

describe.each([
  ['conformer_striding4_main', '2.5'],
  ['conformer_striding4_v1', '1.x'],
  ['conformer_dw8_main', '2.5'],
  ['conformer_dw8_v1', '1.x'],
  ['conformer_chunked_causal_main', '2.5'],
  ['conformer_chunked_causal_v1', '1.x'],
] as const)('%s', (name, nemoCompat) => {
  const file = golden<ConformerGolden>(name);
  const { T: frames, lens, ...config } = file.config;
  // The chunked file was made with this context, which it does not record.
  const context = config.att_context_style === 'chunked_limited' ? { att_context_size: [4, 1] as const } : {};
  const encoder = new ConformerEncoder({ ...config, ...context, nemo_compat: nemoCompat });

  it('has the parameter names and shapes of NeMo', () => {
    const states = encoder.stateDict();
    expect([...states.keys()].sort()).toEqual([...file.state_keys_sorted].sort());
    for (const [key, state] of states) expect([key, state.shape]).toEqual([key, file.shapes[key]]);
  });

  it('computes what NeMo computes, at every tap', async () => {
    const engine = createReferenceEngine();
    await writeFormulaWeights(engine, encoder, file.state_keys_sorted);
    const bins = config.feat_in;
    // NeMo's input is [B,F,T] and zero beyond the lengths; ours is [B,T,F].
    const raw = formula(2 * bins * frames, (i) => Math.sin(0.37 * i + 0.2));
    const features = new Float32Array(raw.length);
    for (let b = 0; b < 2; b++) {
      for (let t = 0; t < lens[b]; t++) {
        for (let f = 0; f < bins; f++) {
          features[(b * frames + t) * bins + f] = raw[(b * bins + f) * frames + t];
        }
      }
    }
    const program = engine.compile('encode', ({ x, lengths }) => {
      const taps: Record<string, Tensor> = {};
      const pass = {
        training: false,
        tap: (path: string, y: Tensor): Tensor => {
          taps[path] = y;
          return y;
        },
      };
      const out = encoder.forward(x, lengths, pass);
      return { encoded: out.encoded, lengths: out.lengths, ...taps };
    });
    const out = await program.run({ x: float32(features, [2, frames, bins]), lengths: int32(lens, [2]) });
    expect([...out['lengths'].data]).toEqual(file.out_lengths);
    expect(lens.map((length) => encoder.outputLength(length))).toEqual(file.out_lengths);
    for (const [golden, path] of Object.entries(places)) {
      expect([golden, maxDifference(out[path].data, file.intermediate[golden].data)]).toEqual([
        golden,
        expect.closeTo(0, 4),
      ]);
    }
    const [batch, width, reduced] = file.output.shape;
    const transposed = new Float32Array(batch * width * reduced);
    for (let b = 0; b < batch; b++) {
      for (let d = 0; d < width; d++) {
        for (let t = 0; t < reduced; t++) {
          transposed[(b * reduced + t) * width + d] = file.output.data[(b * width + d) * reduced + t];
        }
      }
    }
    expect(maxDifference(out['encoded'].data, transposed)).toBeLessThan(1e-5);
  });
});
