// The encoders as components, and the configuration of the Conformer: NeMo's keys.
import { defineSchema, listOf, oneOf } from '../../config/index.js';
import { component } from '../../container/index.js';
import type { ConformerEncoderConfig } from './conformer-config.js';
import { conformerDefaults as defaults, subsamplingTypes } from './conformer-config.js';
import { ConformerEncoder } from './conformer-encoder.js';
import { type ConvASREncoderConfig, convAsrEncoderSchema } from './conv-asr-config.js';
import { ConvASREncoder } from './conv-asr-encoder.js';
import { type RNNEncoderConfig, rnnEncoderSchema } from './rnn-config.js';
import { RNNEncoder } from './rnn-encoder.js';
import { type SqueezeformerEncoderConfig, squeezeformerEncoderSchema } from './squeezeformer-config.js';
import { SqueezeformerEncoder } from './squeezeformer-encoder.js';

const rate = { format: 'number', min: 0, below: 1 } as const;
const size = { format: 'int', min: 1 } as const;
const pair = listOf('int', { min: 2, max: 2 });

export const conformerEncoderSchema = defineSchema(
  'ConformerEncoder',
  {
    feat_in: { doc: 'Mel bins.', ...size },
    feat_out: { doc: 'Width of an added output projection; -1 for none.', format: 'int', default: -1 },
    n_layers: { doc: 'Conformer layers.', ...size, max: 1000 },
    d_model: { doc: 'Width of the layers.', ...size },
    subsampling: {
      doc: 'How the frame rate is reduced.',
      format: subsamplingTypes,
      default: defaults.subsampling,
    },
    subsampling_factor: {
      doc: 'Input frames per output frame.',
      ...size,
      default: defaults.subsampling_factor,
    },
    subsampling_conv_channels: { doc: 'Channels; -1 for d_model.', format: 'int', default: -1 },
    causal_downsampling: { doc: 'See the past only.', format: 'boolean', default: false },
    ff_expansion_factor: { doc: 'Hidden over outer width of the feed-forward blocks.', ...size, default: 4 },
    reduction: {
      doc: 'Reduces the frame rate once more, between layers.',
      format: ['pooling', 'striding'],
      nullable: true,
      default: null,
    },
    reduction_position: {
      doc: 'After this layer, from 0; -1 for after all.',
      format: 'int',
      min: -1,
      nullable: true,
      default: null,
    },
    reduction_factor: { doc: 'A power of two; 1 for no reduction.', ...size, default: 1 },
    self_attention_model: {
      doc: 'Relative positions, the same within att_context_size only (for long recordings), or absolute ones.',
      format: ['rel_pos', 'rel_pos_local_attn', 'abs_pos'],
      default: 'rel_pos',
    },
    n_heads: { doc: 'Attention heads; must divide d_model.', ...size, default: defaults.n_heads },
    att_context_size: {
      doc: '[left, right] frames seen by attention, -1 for all; or several pairs, one drawn for each training batch.',
      format: oneOf(pair, listOf(pair)),
      nullable: true,
      default: [-1, -1],
    },
    att_context_probs: {
      doc: 'How often each of several contexts is drawn. Default: equally.',
      format: listOf('number'),
      nullable: true,
      default: null,
    },
    att_context_style: {
      doc: 'Whether the context moves with the frame or in chunks of right + 1 frames.',
      format: ['regular', 'chunked_limited'],
      default: 'regular',
    },
    xscaling: { doc: 'Multiply the input of the first layer by √d_model.', format: 'boolean', default: true },
    untie_biases: { doc: 'Position biases of their own for each layer.', format: 'boolean', default: true },
    conv_kernel_size: { doc: 'Frames; odd.', ...size, default: defaults.conv_kernel_size },
    conv_norm_type: {
      doc: 'In the convolution module: batch_norm, layer_norm, instance_norm, fused_batch_norm or group_normN.',
      format: 'string',
      default: 'batch_norm',
    },
    conv_context_size: {
      doc: 'null: symmetric; causal: past only; or [left, right], together one less than the kernel.',
      format: oneOf(['causal'], pair),
      nullable: true,
      default: null,
    },
    use_bias: { doc: 'Biases in the linear maps and convolutions.', format: 'boolean', default: true },
    dropout: { doc: 'After each module.', ...rate, default: defaults.dropout },
    dropout_pre_encoder: { doc: 'Before the first layer.', ...rate, default: defaults.dropout_pre_encoder },
    dropout_emb: { doc: 'On the position encodings.', ...rate, default: defaults.dropout_emb },
    dropout_att: { doc: 'On the attention weights.', ...rate, default: defaults.dropout_att },
    stochastic_depth_drop_prob: { doc: 'Of leaving out a whole layer in training.', ...rate, default: 0 },
    stochastic_depth_mode: {
      doc: 'Whether the probability grows with depth.',
      format: ['linear', 'uniform'],
      default: 'linear',
    },
    stochastic_depth_start_layer: {
      doc: 'So many layers are never left out.',
      format: 'int',
      min: 1,
      default: 1,
    },
    global_tokens: {
      doc: 'For local attention: frames that attend to all and are attended by all.',
      format: 'int',
      min: 0,
      default: 0,
    },
    global_tokens_spacing: { doc: 'Frames between global frames.', ...size, default: 1 },
    global_attn_separate: {
      doc: 'Projections of their own for what is global.',
      format: 'boolean',
      default: false,
    },
    nemo_compat: {
      doc: '1.x: padding leaks into the last frames in the subsampling, as in NeMo up to 2.4. 2.5: it does not.',
      format: ['1.x', '2.5'],
      default: '2.5',
    },
  },
  {
    doc: 'The Conformer (Gulati et al. 2020).',
    ignored: {
      pos_emb_max_len: 'position tables grow as needed',
      subsampling_conv_chunking_factor: { instead: 'convolutions are not cut', harmless: [1, -1] },
      use_pytorch_sdpa: 'the engine chooses the kernels',
      use_pytorch_sdpa_backends: 'the engine chooses the kernels',
      sync_max_audio_length: 'position tables need no synchronisation',
    },
  },
);

export const encoderComponents = [
  component({
    kind: 'encoder',
    name: 'ConformerEncoder',
    aliases: [
      'nemo.collections.asr.modules.ConformerEncoder',
      'nemo.collections.asr.modules.conformer_encoder.ConformerEncoder',
      'nemo.collections.asr.modules.conformer_encoder.ConformerEncoderAdapter',
    ],
    schema: conformerEncoderSchema,
    create: (config) => new ConformerEncoder(config as ConformerEncoderConfig),
  }),
  component({
    kind: 'encoder',
    name: 'ConvASREncoder',
    aliases: [
      'nemo.collections.asr.modules.ConvASREncoder',
      'nemo.collections.asr.modules.conv_asr.ConvASREncoder',
      'nemo.collections.asr.modules.conv_asr.ConvASREncoderAdapter',
    ],
    schema: convAsrEncoderSchema,
    create: (config) => new ConvASREncoder(config as ConvASREncoderConfig),
  }),
  component({
    kind: 'encoder',
    name: 'SqueezeformerEncoder',
    aliases: [
      'nemo.collections.asr.modules.SqueezeformerEncoder',
      'nemo.collections.asr.modules.squeezeformer_encoder.SqueezeformerEncoder',
      'nemo.collections.asr.modules.squeezeformer_encoder.SqueezeformerEncoderAdapter',
    ],
    schema: squeezeformerEncoderSchema,
    create: (config) => new SqueezeformerEncoder(config as SqueezeformerEncoderConfig),
  }),
  component({
    kind: 'encoder',
    name: 'RNNEncoder',
    aliases: [
      'nemo.collections.asr.modules.RNNEncoder',
      'nemo.collections.asr.modules.rnn_encoder.RNNEncoder',
    ],
    schema: rnnEncoderSchema,
    create: (config) => new RNNEncoder(config as RNNEncoderConfig),
  }),
];
