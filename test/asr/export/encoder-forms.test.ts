// Encoders of every kind as ONNX files: whatever the layers do with a number of frames, the file computes the same as
// the model at lengths that were not traced: short ones, and all remainders of what the layers divide by.
import * as ort from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { encoderSubnet } from '../../../src/asr/export/subnets.js';
import { EncDecCTCModel } from '../../../src/asr/index.js';
import { exportProgram, float32, int32, OnnxEngine } from '../../../src/engine/index.js';
import { maxDifference, randomTensor } from '../../nn/support.js';
import { tinyModel } from '../support.js';

const target = (name: string) => `nemo.collections.asr.modules.${name}`;
const common = { feat_in: 16, d_model: 16, n_layers: 2, subsampling_conv_channels: 8, dropout: 0 };
const conformer = (changes: object) => ({
  _target_: target('ConformerEncoder'),
  ...common,
  n_heads: 2,
  conv_kernel_size: 5,
  ...changes,
});
const squeezeformer = (changes: object) => ({
  _target_: target('SqueezeformerEncoder'),
  ...common,
  n_heads: 2,
  conv_kernel_size: 5,
  ...changes,
});
const rnn = (changes: object) => ({ _target_: target('RNNEncoder'), ...common, proj_size: 8, ...changes });

const block = {
  filters: 12,
  repeat: 2,
  kernel: [5],
  stride: [1],
  dilation: [1],
  dropout: 0,
  residual: true,
  separable: true,
};
const conv = (blocks: readonly object[], changes: object = {}) => ({
  _target_: target('ConvASREncoder'),
  feat_in: 16,
  activation: 'relu',
  ...changes,
  jasper: blocks.map((changes) => ({ ...block, ...changes })),
});
const last = { repeat: 1, kernel: [1], residual: false, separable: false };
const strided = { repeat: 1, stride: [2], residual: false };

const forms: readonly (readonly [string, object])[] = [
  ['QuartzNet', conv([strided, {}, { repeat: 1, kernel: [7], dilation: [2], residual: false }, last])],
  [
    'Jasper',
    conv(
      [
        strided,
        { residual_dense: true },
        { residual_dense: true },
        { ...last, kernel: [7], dilation: [2] },
        last,
      ].map((b) => ({ ...b, separable: false })),
    ),
  ],
  [
    'dilations of 3 and 20, stride 3',
    conv([{ ...strided, stride: [3] }, { dilation: [3] }, { dilation: [20] }, last]),
  ],
  ['dilated groups', conv([strided, { dilation: [2], separable: false, groups: 4 }, last])],
  [
    'Citrinet',
    conv([
      strided,
      { se: true },
      { ...strided, se: true, residual: true, residual_mode: 'stride_add' },
      last,
    ]),
  ],
  [
    'ContextNet',
    conv(
      [
        { se: true, se_context_size: 20, repeat: 1 },
        { ...strided, repeat: 2, stride_last: true, se: true },
        last,
      ],
      {
        activation: 'swish',
      },
    ),
  ],
  [
    'heads, future context',
    conv([strided, { heads: 3 }, { heads: 4, dilation: [2], future_context: 2, residual: false }, last]),
  ],
  [
    'dilated, future context',
    conv([{ dilation: [3], future_context: 1, separable: false, residual: false }, last]),
  ],
  ['layer norm, unmasked', conv([strided, {}, last], { normalization_mode: 'layer', conv_mask: false })],
  ['instance norm', conv([strided, {}, last], { normalization_mode: 'instance', residual_mode: 'max' })],
  ['even kernel, kernel factor', conv([{ ...strided, kernel: [4], kernel_size_factor: 1.5 }, last])],
  [
    'reduction by pooling at the end',
    conformer({ reduction: 'pooling', reduction_position: -1, reduction_factor: 2 }),
  ],
  [
    'reduction by pooling, 4',
    conformer({ reduction: 'pooling', reduction_position: 0, reduction_factor: 4 }),
  ],
  ['reduction by striding', conformer({ reduction: 'striding', reduction_position: 0, reduction_factor: 2 })],
  [
    'reduction by striding at the end',
    conformer({ reduction: 'striding', reduction_position: -1, reduction_factor: 4 }),
  ],
  ['striding_conv1d', conformer({ subsampling: 'striding_conv1d' })],
  ['dw_striding_conv1d', conformer({ subsampling: 'dw_striding_conv1d', subsampling_factor: 8 })],
  ['causal striding_conv1d', conformer({ subsampling: 'striding_conv1d', causal_downsampling: true })],
  ['vggnet, 8', conformer({ subsampling: 'vggnet', subsampling_factor: 8 })],
  ['stacking, 5', conformer({ subsampling: 'stacking', subsampling_factor: 5 })],
  ['stacking, 16', conformer({ subsampling: 'stacking', subsampling_factor: 16 })],
  ['stacking_norm, 7', conformer({ subsampling: 'stacking_norm', subsampling_factor: 7 })],
  [
    'dw_striding, 16',
    conformer({ subsampling: 'dw_striding', subsampling_factor: 16, causal_downsampling: true }),
  ],
  [
    'a wide local attention with global tokens',
    conformer({
      self_attention_model: 'rel_pos_local_attn',
      att_context_size: [60, 60],
      global_tokens: 3,
      global_tokens_spacing: 7,
      subsampling: 'dw_striding',
      subsampling_factor: 8,
    }),
  ],
  ['a context wider than short examples', conformer({ att_context_size: [70, 30], subsampling_factor: 8 })],
  ['Squeezeformer, half rate', squeezeformer({ n_layers: 4, time_reduce_idx: 1, time_recovery_idx: 3 })],
  [
    'Squeezeformer, limited context',
    squeezeformer({ n_layers: 3, time_reduce_idx: 1, att_context_size: [9, 4], subsampling: 'striding' }),
  ],
  [
    'Squeezeformer, stacking, absolute positions',
    squeezeformer({ subsampling: 'stacking', subsampling_factor: 3, self_attention_model: 'abs_pos' }),
  ],
  ['Squeezeformer, group norm', squeezeformer({ conv_norm_type: 'group_norm4', subsampling_factor: 8 })],
  ['RNNEncoder, both directions', rnn({ bidirectional: true })],
  ['RNNEncoder, stacking', rnn({ bidirectional: true, subsampling: 'stacking', subsampling_factor: 3 })],
  ['RNNEncoder, one direction, no subsampling', rnn({ bidirectional: false, subsampling: null })],
];

const batches = [[1], [8, 3, 2], [31, 30, 29], [97], [128, 5], [600]];

it.each(forms)('%s', async (name, encoder) => {
  const engine = new OnnxEngine({ threads: 1 });
  const decoder = { _target_: target('ConvASRDecoder') };
  const model = EncDecCTCModel.fromConfig(tinyModel({ encoder, decoder, joint: undefined }), { engine });
  const { spec } = encoderSubnet({ encoder: model.encoder, features: 16, maxFrames: 100 });
  const file = await exportProgram({ ...spec, read: engine.read.bind(engine) });
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const program = engine.compile(name, spec.fn);
  for (const lengths of batches) {
    const [batch, time] = [lengths.length, Math.max(...lengths)];
    if (Math.min(...lengths.map((n) => model.encoder.outputLength(n))) < 1) continue;
    const signal = randomTensor([batch, 16, time], time).data as Float32Array;
    const expected = await program.run({
      audio_signal: float32(signal, [batch, 16, time]),
      length: int32(lengths, [batch]),
    });
    const found = await session.run({
      audio_signal: new ort.Tensor('float32', signal, [batch, 16, time]),
      length: new ort.Tensor('int64', BigInt64Array.from(lengths, BigInt), [batch]),
    });
    expect({ lengths, dims: found['outputs'].dims }).toEqual({ lengths, dims: expected['outputs'].shape });
    expect(Array.from(found['encoded_lengths'].data as BigInt64Array, Number)).toEqual([
      ...expected['encoded_lengths'].data,
    ]);
    const wanted = expected['outputs'].data as Float32Array;
    const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
    const worst = maxDifference(found['outputs'].data as Float32Array, wanted) / largest;
    expect({ lengths, worst, close: worst < 2e-5 }).toMatchObject({ close: true });
  }
  await session.release();
  await engine.dispose();
});
