// How far a batch was padded to fit a compiled shape changes nothing: losses, gradients, running statistics and texts of
// every encoder and every head are those of the batch as it is. What was added holds noise, so that whatever reads it fails.
import { afterAll, describe, expect, it } from 'vitest';
import { createModel, type SpeechModel } from '../../src/asr/index.js';
import { float32, type HostTensor, type HostTensors, int32, OnnxEngine, tf, valueAndGrads } from '../../src/engine/index.js'; // biome-ignore format: one line reads better
import { trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel } from './support.js';
import { batchOf } from './training.js';

/**
 * Of losses, and of gradients and statistics as a share of the largest: single precision, in which sums over frames have
 * another order at another shape. Seen are 3e-5 at most, in gradients through convolutions and batch norms; a program that
 * is not told the number of frames is off by 1e-3 and more.
 */
const TOLERANCE = 1e-4;

/** Frames that the batch has beyond its longest utterance: not a multiple of anything that encoders stack or stride by. */
const OWN_PADDING = 3;
const ADDED = [
  { frames: 0, tokens: 0 },
  { frames: 7, tokens: 2 },
  { frames: 64, tokens: 5 },
];

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
  'stacking by 3': { ...conformer, subsampling: 'stacking', subsampling_factor: 3 },
  'stacking_norm by 5': { ...conformer, subsampling: 'stacking_norm', subsampling_factor: 5 },
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
  'LSTMs behind stacking': { ...recurrent, subsampling: 'stacking', subsampling_factor: 3 },
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

async function agree(changes: object): Promise<void> {
  const model = createModel(tinyModel({ ...changes }), { seed: 3, engine }) as SpeechModel;
  const batch = batchOf(model, ['abcab', 'ca', 'bba']).inputs;
  await speakUp(model);
  // Without the number of frames: a program for batches of just this size.
  const exact = await results(model, padded(batch, OWN_PADDING, 0));
  expect(exact.texts.join()).toMatch(/\d/);
  for (const added of ADDED) {
    const inputs = padded(batch, OWN_PADDING, 0);
    const batchFrames = int32([inputs['features'].shape[1]!], [1]);
    const { texts, values } = await results(model, {
      ...padded(inputs, added.frames, added.tokens, 7),
      batchFrames,
    });
    for (const [name, value] of Object.entries(values)) {
      expect(furthest(value, exact.values[name]), `${name}, ${added.frames} frames more`).toBeLessThan(
        TOLERANCE,
      );
    }
    expect(texts).toEqual(exact.texts);
  }
}

/** Makes an untrained model say something: lower scores of blank. */
async function speakUp(model: SpeechModel): Promise<void> {
  for (const state of model.stateDict().values()) {
    if (state.name === 'joint.blank_pred.2.bias') await engine.write(state, Float32Array.of(-3));
    if (!/^(ctc_)?decoder\.decoder_layers\.0\.bias$/.test(state.name)) continue;
    await engine.write(state, Float32Array.of(0, 0, 0, 0, -3));
  }
}

/** Inputs with so many frames and tokens more, `noise` times normal noise and any token. */
function padded(inputs: HostTensors, frames: number, tokens: number, noise = 0): HostTensors {
  const random = new CounterRandom(9);
  const { features, targets } = inputs;
  return {
    ...inputs,
    features: longer(features, frames, (i) => noise * random.normal(i)),
    targets: longer(targets, tokens, (i) => i % 4),
  };
}

/** x [B,T,...] with `more` items of the second axis. */
function longer({ dtype, shape, data }: HostTensor, more: number, fill: (i: number) => number): HostTensor {
  const [batch, length, ...rest] = shape;
  const item = rest.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: batch }, (_, b) => [
    ...data.subarray(b * length! * item, (b + 1) * length! * item),
    ...Array.from({ length: more * item }, (_, i) => fill(i)),
  ]).flat();
  const wider = [batch, length! + more, ...rest];
  return dtype === 'int32' ? int32(values, wider) : float32(Float32Array.from(values), wider);
}

/** A step of training without an update of the weights, and evaluation, both from the weights as they are. */
async function results(
  model: SpeechModel,
  inputs: HostTensors,
): Promise<{ texts: readonly string[]; values: Record<string, ArrayLike<number>> }> {
  const parameters = [...model.parameters()].filter(({ trainable }) => trainable);
  const buffers = [...model.stateDict().values()].filter(({ name }) => name.includes('running_'));
  const before = await Promise.all(buffers.map(async (buffer) => (await engine.read(buffer)).slice()));
  const training = engine.compile('train', (inputs) => {
    const { value, grads } = valueAndGrads(() => model.trainingStep(inputs, trainingPass).loss, parameters);
    return { loss: value, gradient: tf.concat(grads.map((grad) => tf.reshape(grad, [-1]))) };
  });
  const { hypotheses, losses } = await model.recognizer(engine).recognize(inputs, true);
  const trained = await training.run(inputs, { random: new CounterRandom(4) });
  const values: Record<string, ArrayLike<number>> = {
    'loss in evaluation': [losses!['loss']],
    'loss in training': trained['loss'].data,
    gradient: trained['gradient'].data,
  };
  for (const [i, buffer] of buffers.entries()) {
    values[buffer.name] = (await engine.read(buffer)).slice();
    await engine.write(buffer, before[i]);
  }
  training.dispose();
  return { texts: hypotheses.map(({ tokens }) => tokens.join(' ')), values };
}

/** Of the largest. */
function furthest(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [most, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    most = Math.max(
      most,
      Number.isFinite(found[i]) ? Math.abs(found[i] - wanted[i]) : Number.POSITIVE_INFINITY,
    );
    scale = Math.max(scale, Math.abs(wanted[i]));
  }
  return most / scale;
}
