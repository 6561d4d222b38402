// The encoder in pieces gives what it gives for the whole.
import { afterAll, describe, expect, it } from 'vitest';
import { streamingSizes } from '../../../src/asr/encoders/chunk-plan.js';
import { ConformerEncoder, type ConformerEncoderConfig } from '../../../src/asr/index.js';
import { loadConfig, resolveConfig } from '../../../src/config/index.js';
import { OnnxEngine } from '../../../src/engine/index.js';
import { maxDifference } from '../../nn/support.js';
import { features, offline, streamed } from './support.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

const bins = 8;
const base: ConformerEncoderConfig = {
  feat_in: bins,
  n_layers: 2,
  d_model: 8,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling: 'dw_striding',
  subsampling_factor: 8,
  subsampling_conv_channels: 4,
  causal_downsampling: true,
  conv_context_size: 'causal',
  conv_norm_type: 'layer_norm',
  att_context_style: 'chunked_limited',
  att_context_size: [6, 1],
};

const variants: Readonly<Record<string, Partial<ConformerEncoderConfig>>> = {
  'FastConformer as it is shipped': {},
  'no look-ahead': { att_context_size: [4, 0], conv_norm_type: 'batch_norm' },
  'a long look-ahead': { att_context_size: [5, 4], subsampling_factor: 4, subsampling: 'striding' },
  'no left context': { att_context_size: [0, 2], subsampling_factor: 2 },
  'unlimited left context': { att_context_size: [-1, 2], subsampling_factor: 2 },
  'regular without look-ahead': { att_context_style: 'regular', att_context_size: [7, 0] },
  'regular with look-ahead': {
    att_context_style: 'regular',
    att_context_size: [7, 1],
    conv_context_size: [3, 1],
    subsampling_factor: 2,
  },
  stacking: { subsampling: 'stacking_norm', subsampling_factor: 3 },
  '1-D convolutions': { subsampling: 'striding_conv1d', subsampling_factor: 8, att_context_size: [4, 0] },
  'no subsampling': { subsampling_factor: 1 },
  'projected, tied, fused norm': {
    feat_out: 6,
    untie_biases: false,
    conv_norm_type: 'fused_batch_norm',
    nemo_compat: '1.x',
  },
};

for (const [name, changes] of Object.entries(variants)) {
  describe(name, () => {
    const encoder = new ConformerEncoder({ ...base, ...changes });
    const factor = encoder.subsamplingFactor;

    it('computes in pieces what it computes of the whole', async () => {
      // More encoded frames than there is room for at first with an unlimited context; lengths that do not fill a chunk.
      const inputs = [75 * Math.min(factor, 2) + 3, 9 * factor + 2, 1].map((n, i) => features(n, bins, i));
      for (const sizes of [[5, 1, 23], [1000]]) {
        const { encoded } = await streamed(engine, encoder, inputs, bins, sizes);
        for (const [i, x] of inputs.entries()) {
          const whole = await offline(engine, encoder, x, bins);
          expect(encoded[i].length).toBe(whole.length);
          expect(maxDifference(encoded[i], whole)).toBeLessThan(1e-5);
        }
      }
    });
  });
}

describe('chunks', () => {
  const encoder = new ConformerEncoder(base);

  it('come out as soon as their features are there', async () => {
    const { progress } = await streamed(engine, encoder, [features(50, bins)], bins, [8, 1, 15, 1]);
    // Chunks of two encoded frames need 9 feature frames, then 16 more each.
    expect(progress.flat()).toEqual([0, 2, 2, 4, 4, 4, 6, 8]);
  });

  it('may be larger than the attention', async () => {
    const x = features(77, bins);
    const whole = await offline(engine, encoder, x, bins);
    const { encoded } = await streamed(engine, encoder, [x], bins, [10], { chunkFrames: 4 });
    expect(maxDifference(encoded[0], whole)).toBeLessThan(1e-5);
  });

  it('take one of several contexts', async () => {
    const several = new ConformerEncoder({ ...base, att_context_size: [[6, 1], [2, 0]] }); // biome-ignore format: one line reads better
    const short = new ConformerEncoder({ ...base, att_context_size: [2, 0] });
    const x = features(60, bins);
    const { encoded } = await streamed(engine, several, [x], bins, [10], { attContextSize: [2, 0] });
    expect(maxDifference(encoded[0], await offline(engine, short, x, bins))).toBeLessThan(1e-5);
    expect(() => several.chunkPlan({ attContextSize: [3, 0] })).toThrow(/\[6,1\], \[2,0\]/);
  });

  it.each<[string, Partial<ConformerEncoderConfig>]>([
    ['att_context_size', { att_context_style: 'regular', att_context_size: [-1, -1] }],
    ['causal_downsampling', { causal_downsampling: false }],
    ['causal_downsampling', { subsampling: 'vggnet' }],
    ['conv_context_size', { conv_context_size: null }],
    ['conv_norm_type', { conv_norm_type: 'instance_norm' }],
    ['self_attention_model', { self_attention_model: 'abs_pos' }],
  ])('are refused for %s', (key, changes) => {
    expect(() => new ConformerEncoder({ ...base, ...changes }).chunkPlan()).toThrow(
      expect.objectContaining({ code: 'streaming.encoder', path: `encoder.${key}` }),
    );
  });

  it('of the wrong size are refused', () => {
    expect(() => encoder.chunkPlan({ chunkFrames: 3 })).toThrow(/multiple of 2/);
  });
});

describe('stock configurations for streaming', () => {
  it.each([
    ['conformer/conformer_transducer_bpe_streaming', { chunkSize: [109, 112], lastChannelCacheSize: 140 }],
    [
      'fastconformer/fastconformer_hybrid_transducer_ctc_bpe_streaming',
      { chunkSize: [105, 112], lastChannelCacheSize: 70 },
    ],
  ])('%s can be cut', (name, expected) => {
    const path = new URL(`../../../conf/asr/${name}.yaml`, import.meta.url).pathname;
    const files = ['train', 'validation'].map((set) => `model.${set}_ds.manifest_filepath=x.json`);
    const { model } = resolveConfig(loadConfig(path, [...files, '~model.tokenizer'])) as {
      model: { encoder: ConformerEncoderConfig; preprocessor: { normalize: string } };
    };
    const small = { feat_in: 8, n_layers: 1, d_model: 8, n_heads: 2, subsampling_conv_channels: 4 };
    const plan = new ConformerEncoder({ ...model.encoder, ...small }).chunkPlan();
    expect(streamingSizes(plan)).toMatchObject(expected);
    expect(model.preprocessor.normalize).toBe('NA');
  });
});
