import { describe, expect, it } from 'vitest';
import { ConformerEncoder, type ConformerEncoderConfig } from '../../src/asr/index.js';
import {
  createReferenceEngine,
  float32,
  int32,
  OnnxEngine,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { evaluationPass, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { maxDifference, randomTensor } from '../nn/support.js';

const base: ConformerEncoderConfig = {
  feat_in: 16,
  n_layers: 2,
  d_model: 16,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling_conv_channels: 8,
};
const lengths = [37, 21];
const inputs = { x: randomTensor([2, 37, 16], 1), lengths: int32(lengths, [2]) };

const variants: readonly [string, Partial<ConformerEncoderConfig>][] = [
  ['striding', {}],
  ['dw_striding ×8', { subsampling: 'dw_striding', subsampling_factor: 8 }],
  ['vggnet', { subsampling: 'vggnet' }],
  ['stacking', { subsampling: 'stacking', subsampling_factor: 3 }],
  ['stacking_norm', { subsampling: 'stacking_norm' }],
  ['striding_conv1d', { subsampling: 'striding_conv1d' }],
  ['dw_striding_conv1d', { subsampling: 'dw_striding_conv1d', subsampling_conv_channels: 12 }],
  [
    'local attention with global frames',
    {
      self_attention_model: 'rel_pos_local_attn',
      att_context_size: [2, 3],
      global_tokens: 2,
      global_tokens_spacing: 3,
      dropout_att: 0.2,
    },
  ],
  ['reduction', { reduction: 'striding', reduction_position: 0, reduction_factor: 2 }],
  ['no subsampling', { subsampling_factor: 1 }],
  ['absolute positions, tied', { self_attention_model: 'abs_pos' }],
  ['tied biases', { untie_biases: false }],
  [
    'layer norm, causal',
    { conv_norm_type: 'layer_norm', conv_context_size: 'causal', causal_downsampling: true },
  ],
  ['group norm', { conv_norm_type: 'group_norm4' }],
  ['instance norm', { conv_norm_type: 'instance_norm', use_bias: false }],
  ['fused batch norm, projection', { conv_norm_type: 'fused_batch_norm', feat_out: 10 }],
  ['chunks drawn', { att_context_size: [[8, 3], [4, 1]], att_context_style: 'chunked_limited' }], // biome-ignore format: short
  ['everything dropped out', { dropout_att: 0.2, stochastic_depth_drop_prob: 0.5 }],
];

describe.each(variants)('%s', (_name, changes) => {
  const encoder = new ConformerEncoder({ ...base, ...changes });

  it('trains on the compiling engine as on the reference engine', async () => {
    const parameters = [...encoder.parameters()].filter((parameter) => parameter.trainable);
    const results = [];
    for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
      const program = engine.compile('train', ({ x, lengths }) => {
        const { value, grads } = valueAndGrads(
          () => tf.sum(tf.square(encoder.forward(x, lengths, trainingPass).encoded)),
          parameters,
        );
        return { value, gradient: tf.concat(grads.map((grad) => tf.reshape(grad, [-1]))) };
      });
      results.push(await program.run(inputs, { random: new CounterRandom(4) }));
      program.dispose();
      await engine.dispose();
    }
    const [reference, compiled] = results;
    const scale = [...reference['gradient'].data].reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    expect(Number.isFinite(scale)).toBe(true);
    expect(maxDifference(reference['gradient'].data, compiled['gradient'].data)).toBeLessThan(2e-4 * scale);
  });

  it('foretells its output length, and in the new way does not depend on padding', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const program = engine.compile('encode', ({ x, lengths }) => {
      const out = encoder.forward(x, lengths, evaluationPass);
      return { encoded: out.encoded, lengths: tf.clone(out.lengths) };
    });
    const out = await program.run(inputs);
    expect(out['encoded'].shape[2]).toBe(encoder.width);
    expect(out['encoded'].shape[1]).toBe(encoder.outputLength(37));
    if (changes.subsampling?.startsWith('stacking')) return;
    expect([...out['lengths'].data]).toEqual(lengths.map((length) => encoder.outputLength(length)));
    if (changes.conv_norm_type === 'group_norm4' || changes.conv_norm_type === 'instance_norm') return;
    const alone = await program.run({
      x: float32(inputs.x.data.slice(37 * 16, 37 * 16 + 21 * 16), [1, 21, 16]),
      lengths: int32([21], [1]),
    });
    const width = encoder.width;
    const frames = encoder.outputLength(21);
    const start = out['encoded'].shape[1] * width;
    const padded = out['encoded'].data.slice(start, start + frames * width);
    expect(maxDifference(padded, alone['encoded'].data.slice(0, frames * width))).toBeLessThan(1e-4);
    await engine.dispose();
  });
});
