// Options of the Squeezeformer encoder: NeMo's keys, NeMo's defaults.
import { defineSchema, type InferConfig, listOf } from '../../config/index.js';
import { checkpointFields, refineCheckpoints } from '../../nn/index.js';

const rate = { format: 'number', min: 0, below: 1 } as const;
const size = { format: 'int', min: 1 } as const;
const layer = { format: 'int', min: 0, nullable: true, default: null } as const;

/** The schema of NeMo's SqueezeformerEncoder. */
export const squeezeformerEncoderSchema = defineSchema(
  'SqueezeformerEncoder',
  {
    feat_in: { doc: 'Mel bins.', ...size },
    feat_out: { doc: 'Width of an added output projection; -1 for none.', format: 'int', default: -1 },
    n_layers: { doc: 'Layers.', ...size, max: 1000 },
    d_model: { doc: 'Width of the layers.', ...size },
    subsampling: {
      doc: 'How the frame rate is reduced before the layers.',
      format: ['dw_striding', 'striding', 'vggnet', 'stacking'],
      default: 'dw_striding',
    },
    subsampling_factor: { doc: 'Input frames per frame of the layers.', ...size, default: 4 },
    subsampling_conv_channels: { doc: 'Channels; -1 for d_model.', format: 'int', default: -1 },
    ff_expansion_factor: { doc: 'Hidden over outer width of the feed-forward blocks.', ...size, default: 4 },
    self_attention_model: {
      doc: 'Relative or absolute positions.',
      format: ['rel_pos', 'abs_pos'],
      default: 'rel_pos',
    },
    n_heads: { doc: 'Attention heads; must divide d_model.', ...size, default: 4 },
    att_context_size: {
      doc: '[left, right] frames seen by attention, -1 for all.',
      format: listOf('int', { min: 2, max: 2 }),
      nullable: true,
      default: [-1, -1],
    },
    xscaling: { doc: 'Multiply the subsampled frames by √d_model.', format: 'boolean', default: true },
    untie_biases: { doc: 'Position biases of their own for each layer.', format: 'boolean', default: true },
    conv_kernel_size: { doc: 'Frames; odd.', ...size, default: 31 },
    conv_norm_type: {
      doc: 'In the convolution module: batch_norm, layer_norm, instance_norm, fused_batch_norm or group_normN.',
      format: 'string',
      default: 'batch_norm',
    },
    dropout: { doc: 'After each module.', ...rate, default: 0.1 },
    dropout_emb: { doc: 'On the position encodings.', ...rate, default: 0.1 },
    dropout_att: { doc: 'On the attention weights.', ...rate, default: 0 },
    adaptive_scale: { doc: 'Learn a scale and shift before each module.', format: 'boolean', default: true },
    time_reduce_idx: {
      doc: 'Layer, from 0, before which the frame rate is halved; null for none.',
      ...layer,
    },
    time_recovery_idx: { doc: 'Layer before which it is restored; null for the last.', ...layer },
    nemo_compat: {
      doc: '1.x: padding leaks into the last frames in the subsampling, as in NeMo up to 2.4. 2.5: it does not.',
      format: ['1.x', '2.5'],
      default: '2.5',
    },
    ...checkpointFields,
  },
  {
    doc: 'The Squeezeformer (Kim et al. 2022).',
    refine: refineCheckpoints(),
    ignored: { pos_emb_max_len: 'position tables grow as needed' },
  },
);

/** A checked `encoder` section of a SqueezeformerEncoder. */
export type SqueezeformerEncoderConfig = InferConfig<typeof squeezeformerEncoderSchema>;
