// Options of the Conformer encoder: NeMo's keys, NeMo's defaults.
import {
  type ConfigOf,
  defineSchema,
  type FieldDefinitions,
  type GivenConfigOf,
  listOf,
  oneOf,
  pairOf,
} from '../../config/index.js';
import { checkpointFields, refineCheckpoints } from '../../nn/index.js';

/** [left, right] frames of attention context, -1 for unlimited. */
export type ContextSize = readonly [number, number];

export const subsamplingTypes = [
  'striding',
  'dw_striding',
  'vggnet',
  'striding_conv1d',
  'dw_striding_conv1d',
  'stacking',
  'stacking_norm',
] as const;
export type SubsamplingType = (typeof subsamplingTypes)[number];

/**
 * Which NeMo the numbers follow. "2.5" (2.5 and later) masks padding inside the subsampling; "1.x" (up to
 * 2.4) lets the frames next to an utterance's end see convolved padding.
 */
export type NemoCompat = '1.x' | '2.5';

const rate = { format: 'number', min: 0, below: 1 } as const;
const size = { format: 'int', min: 1 } as const;
const pair = pairOf('int');

const conformerFields = {
  feat_in: { doc: 'Mel bins.', ...size },
  feat_out: { doc: 'Width of an added output projection; -1 for none.', format: 'int', default: -1 },
  n_layers: { doc: 'Conformer layers.', ...size, max: 1000 },
  d_model: { doc: 'Width of the layers.', ...size },
  subsampling: {
    doc: 'How the frame rate is reduced.',
    format: subsamplingTypes,
    default: 'striding',
  },
  subsampling_factor: {
    doc: 'Input frames per output frame.',
    ...size,
    default: 4,
  },
  subsampling_conv_channels: { doc: 'Channels; -1 for d_model.', format: 'int', default: -1 },
  subsampling_conv_chunking_factor: {
    doc: 'Parts, a power of 2, into which a batch is cut for the 2-D convolutions of the subsampling, which are computed again for the gradient: less memory. 1, -1: none.',
    format: 'int',
    min: -1,
    default: 1,
  },
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
  n_heads: { doc: 'Attention heads; must divide d_model.', ...size, default: 4 },
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
  conv_kernel_size: { doc: 'Frames; odd.', ...size, default: 31 },
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
  dropout: { doc: 'After each module.', ...rate, default: 0.1 },
  dropout_pre_encoder: { doc: 'Before the first layer.', ...rate, default: 0.1 },
  dropout_emb: { doc: 'On the position encodings.', ...rate, default: 0.1 },
  dropout_att: { doc: 'On the attention weights.', ...rate, default: 0 },
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
  ...checkpointFields,
} as const satisfies FieldDefinitions;

/** The keys of a Conformer; those with a default may be left out. */
export type ConformerEncoderConfig = GivenConfigOf<typeof conformerFields>;

/** All keys of a Conformer. */
export type ResolvedConformerConfig = ConfigOf<typeof conformerFields>;

export const conformerEncoderSchema = defineSchema('ConformerEncoder', conformerFields, {
  doc: 'The Conformer (Gulati et al. 2020).',
  refine: (config, report) => {
    refineCheckpoints()(config, report);
    const parts = config.subsampling_conv_chunking_factor;
    if (parts !== -1 && !Number.isInteger(Math.log2(parts)))
      report('subsampling_conv_chunking_factor', `${parts} is neither a power of 2 nor -1`);
  },
  ignored: {
    pos_emb_max_len: 'position tables grow as needed',
    use_pytorch_sdpa: 'the engine chooses the kernels',
    use_pytorch_sdpa_backends: 'the engine chooses the kernels',
    sync_max_audio_length: 'position tables need no synchronisation',
  },
});
