// How far a batch was padded to fit a compiled shape changes nothing: losses, gradients, running statistics and texts of
// every encoder and every head are those of the batch as it is.
import { afterAll, describe, expect, it } from 'vitest';
import { createModel, type SpeechModel } from '../../src/asr/index.js';
import { float32, int32, OnnxEngine } from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { expectSameHoweverPadded, speakUp } from './padded.js';
import { tinyModel, toneSpeech } from './support.js';
import { batchOf } from './training.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

const conformer = {
  _target_: 'ConformerEncoder',
  feat_in: 16,
  n_layers: 1,
  d_model: 12,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling_factor: 4,
  subsampling_conv_channels: 6,
  dropout: 0,
  dropout_pre_encoder: 0,
  dropout_emb: 0,
  dropout_att: 0,
};
const { dropout_pre_encoder: _, ...shared } = conformer;
const squeezeformer = { ...shared, _target_: 'SqueezeformerEncoder', n_layers: 3 };
const recurrent = { _target_: 'RNNEncoder', feat_in: 16, n_layers: 1, d_model: 12, proj_size: 8, dropout: 0 };
const block = { filters: 8, repeat: 2, kernel: [5], stride: [2], dilation: [1], dropout: 0, residual: true, separable: true }; // biome-ignore format: one line reads better
const convolutional = (jasper: object, more: object = {}) => ({
  _target_: 'ConvASREncoder',
  feat_in: 16,
  activation: 'relu',
  conv_mask: true,
  jasper: [
    { ...block, ...jasper, residual: false },
    { ...block, stride: [1], ...jasper },
  ],
  ...more,
});

const encoders: Readonly<Record<string, object>> = {
  'batch norm': conformer,
  'group norm': { ...conformer, conv_norm_type: 'group_norm4' },
  'instance norm': { ...conformer, conv_norm_type: 'instance_norm' },
  'layer norm, absolute positions': { ...conformer, conv_norm_type: 'layer_norm', self_attention_model: 'abs_pos' }, // biome-ignore format: one line reads better
  'fused batch norm, causal': { ...conformer, conv_norm_type: 'fused_batch_norm', conv_context_size: 'causal', causal_downsampling: true }, // biome-ignore format: one line reads better
  'no mask in the subsampling': { ...conformer, nemo_compat: '1.x' },
  'no mask in causal subsampling': { ...conformer, causal_downsampling: true, nemo_compat: '1.x' },
  'no mask in dw_striding': {
    ...conformer,
    subsampling: 'dw_striding',
    subsampling_factor: 8,
    nemo_compat: '1.x',
  },
  'no mask in vggnet': { ...conformer, subsampling: 'vggnet', nemo_compat: '1.x' },
  'no mask in striding_conv1d': { ...conformer, subsampling: 'striding_conv1d', nemo_compat: '1.x' },
  dw_striding_conv1d: { ...conformer, subsampling: 'dw_striding_conv1d' },
  'stacking by 7': { ...conformer, subsampling: 'stacking', subsampling_factor: 7 },
  'stacking_norm by 4': { ...conformer, subsampling: 'stacking_norm', subsampling_factor: 4 },
  'no subsampling': { ...conformer, subsampling_factor: 1 },
  'reduction by pooling': { ...conformer, reduction: 'pooling', reduction_position: 0, reduction_factor: 2 },
  'reduction by striding': {
    ...conformer,
    reduction: 'striding',
    reduction_position: 0,
    reduction_factor: 2,
  },
  'reduction after the last layer': { ...conformer, reduction: 'striding', reduction_position: -1, reduction_factor: 2, nemo_compat: '1.x' }, // biome-ignore format: one line reads better
  chunks: { ...conformer, att_context_size: [8, 3], att_context_style: 'chunked_limited' },
  'local attention with global frames': { ...conformer, self_attention_model: 'rel_pos_local_attn', att_context_size: [4, 5], global_tokens: 9, global_tokens_spacing: 3 }, // biome-ignore format: one line reads better
  'Squeezeformer at half the rate': { ...squeezeformer, time_reduce_idx: 1, time_recovery_idx: 2 },
  'Squeezeformer, group norm': { ...squeezeformer, time_reduce_idx: null, conv_norm_type: 'group_norm4' },
  'LSTMs behind stacking': { ...recurrent, subsampling: 'stacking', subsampling_factor: 4 },
  'LSTMs in both directions, no mask': { ...recurrent, bidirectional: true, subsampling: 'striding', subsampling_conv_channels: 6, nemo_compat: '1.x' }, // biome-ignore format: one line reads better
  QuartzNet: convolutional({}),
  'Jasper without masks': convolutional({ separable: false }, { conv_mask: false }),
  'without masks, group norm': convolutional({}, { conv_mask: false, normalization_mode: 'group', norm_groups: 4 }), // biome-ignore format: one line reads better
  'instance norm of blocks': convolutional({}, { normalization_mode: 'instance' }),
  'layer norm of blocks': convolutional({}, { normalization_mode: 'layer' }),
  Citrinet: convolutional({ se: true, se_reduction_ratio: 2 }),
  'squeeze-excite over a few frames': convolutional({ se: true, se_reduction_ratio: 2, se_context_size: 10 }),
  'squeeze-excite over more frames than there are': convolutional({ se: true, se_reduction_ratio: 2, se_context_size: 60 }), // biome-ignore format: one line reads better
};

const frames = { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 };
const jointnet = { joint_hidden: 12, activation: 'relu', dropout: 0 };
const joint = (more: object, target = 'RNNTJoint') => ({ joint: { _target_: target, jointnet, ...more } });
const ctc = { target: 'EncDecCTCModel', decoder: frames, joint: undefined };
const auxiliary = { target: 'EncDecHybridRNNTCTCModel', aux_ctc: { ctc_loss_weight: 0.3, decoder: frames } };
const durations = [0, 1, 2];

const heads: Readonly<Record<string, object>> = {
  'CTC, mean over volume': { ...ctc, ctc_reduction: 'mean_volume' },
  'CTC, mean over tokens, inner losses': { ...ctc, ctc_reduction: 'mean', interctc: { loss_weights: [0.3], apply_at_layers: [0] } }, // biome-ignore format: one line reads better
  'RNN-T': { ...joint({}) },
  'RNN-T, mean over volume': { ...joint({}), rnnt_reduction: 'mean_volume' },
  'TDT': { ...joint({ num_extra_outputs: 3 }), loss: { loss_name: 'tdt', tdt_kwargs: { durations, sigma: 0.05, omega: 0 } }, decoding: { model_type: 'tdt', durations } }, // biome-ignore format: one line reads better
  'multi-blank': { ...joint({ num_extra_outputs: 2 }), loss: { loss_name: 'multiblank_rnnt', multiblank_rnnt_kwargs: { big_blank_durations: [2, 4], sigma: 0.05 } }, decoding: { strategy: 'greedy_batch', model_type: 'multiblank', big_blank_durations: [2, 4] } }, // biome-ignore format: one line reads better
  HAT: { ...joint({}, 'HATJoint') },
  'stateless': { ...joint({}), decoder: { _target_: 'StatelessTransducerDecoder', context_size: 2, normalization_mode: 'layer', prednet: { pred_hidden: 12, pred_rnn_layers: 1, dropout: 0 } } }, // biome-ignore format: one line reads better
  hybrid: { ...auxiliary },
};

describe.each(Object.entries(encoders))('%s', (_name, encoder) => {
  it('does not see what a shape adds to a batch', () => agree({ ...ctc, encoder }));
});

describe.each(Object.entries(heads))('%s', (_name, head) => {
  it('does not see what a shape adds to a batch', () => agree({ encoder: conformer, ...head }));
});

it('adapters do not see what a shape adds to a batch', async () => {
  const model = build({ encoder: conformer });
  model.addAdapter('encoder:line', { _target_: 'LinearAdapter', in_features: 12, dim: 4 });
  model.addAdapter('encoder:attention', {
    _target_: 'RelPositionMultiHeadAttentionAdapter',
    n_head: 2,
    n_feat: 12,
  });
  const random = new CounterRandom(5);
  for (const state of model.stateDict().values()) {
    if (!state.name.includes('adapter')) continue;
    await engine.write(
      state,
      Float32Array.from({ length: state.size }, (_, i) => 0.3 * random.normal(i)),
    );
  }
  await unchanged(model);
});

// One frame more than the utterance has, as in NeMo, and no multiple of anything.
it.each([
  ['group norm', { ...conformer, conv_norm_type: 'group_norm4' }],
  ['stacking by 7', { ...conformer, subsampling: 'stacking', subsampling_factor: 7 }],
  ['no mask in the subsampling', { ...conformer, nemo_compat: '1.x' }],
])('transcribe gives what features of the exact size do: %s', async (_name, encoder) => {
  const model = build({ ...ctc, encoder });
  await speakUp(engine, model);
  const samples = toneSpeech('abcab', 1).slice(0, 11_900);
  const { features, lengths, shape } = model.preprocessor.frontEnd.computeBatch([samples]);
  const [, bins, frames] = shape;
  const timeFirst = Float32Array.from(
    features,
    (_, i) => features[(i % bins) * frames + Math.floor(i / bins)],
  );
  const inputs = {
    features: float32(timeFirst, [1, frames, bins]),
    featureLengths: int32([...lengths], [1]),
  };
  const { hypotheses } = await model.recognizer(engine).recognize(inputs, false);
  const [{ tokens, score }] = await model.transcribe([samples]);
  expect(tokens.map(({ id }) => id)).toEqual([...hypotheses[0].tokens]);
  expect(tokens.length).toBeGreaterThan(0);
  expect(Math.abs(score / hypotheses[0].score - 1)).toBeLessThan(1e-5);
});

function build(changes: object): SpeechModel {
  return createModel(tinyModel({ ...changes }), { seed: 3, engine }) as SpeechModel;
}

async function agree(changes: object): Promise<void> {
  const model = build(changes);
  await speakUp(engine, model);
  await unchanged(model);
}

const unchanged = (model: SpeechModel): Promise<void> =>
  expectSameHoweverPadded(engine, model, batchOf(model, ['abcab', 'ca', 'bba']).inputs);
