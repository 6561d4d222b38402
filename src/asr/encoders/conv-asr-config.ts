// Options of the convolutional encoders (Jasper, QuartzNet, Citrinet, ContextNet): NeMo's keys and defaults.
import { defineSchema, type InferConfig, listOf, oneOf } from '../../config/index.js';
import { checkpointFields, refineCheckpoints } from '../../nn/index.js';

const count = { format: 'int', min: 1 } as const;
const perKernel = oneOf('int', listOf('int', { min: 1, max: 1 }));

export const jasperBlockSchema = defineSchema(
  'jasper block',
  {
    filters: { doc: 'Output channels.', ...count },
    repeat: { doc: 'Sub-blocks.', ...count, max: 1000 },
    kernel: { doc: 'Frames of the kernel; an even number is raised by one.', format: perKernel },
    stride: { doc: 'Input frames per output frame of each strided convolution.', format: perKernel },
    dilation: { doc: 'Frames between the taps of the kernel; needs stride 1.', format: perKernel },
    dropout: { doc: 'After each activation.', format: 'number', min: 0, max: 1 },
    residual: { doc: 'Add a pointwise branch around the block.', format: 'boolean' },
    residual_dense: {
      doc: 'Branches from all such blocks before, too (Jasper-DR).',
      format: 'boolean',
      default: false,
    },
    residual_mode: {
      doc: 'add, stride_add (the branch strides too) or max. Holds for the blocks after it as well.',
      format: ['add', 'stride_add', 'max'],
      optional: true,
    },
    separable: { doc: 'Depthwise, then pointwise convolutions.', format: 'boolean', default: false },
    groups: {
      doc: 'Of the pointwise (or dense) convolutions; above 1 the channels are shuffled after.',
      ...count,
      default: 1,
    },
    heads: {
      doc: 'Depthwise kernels shared among the channels; -1 for one each.',
      format: 'int',
      default: -1,
    },
    se: { doc: 'Squeeze and excitation at the end.', format: 'boolean', default: false },
    se_reduction_ratio: {
      doc: 'Channels over hidden width of squeeze and excitation.',
      ...count,
      default: 8,
    },
    se_context_size: {
      doc: 'Frames, at a random place, that squeeze and excitation averages over in training; -1 for all.',
      format: 'int',
      default: -1,
    },
    kernel_size_factor: { doc: 'Factor on the kernel.', format: 'number', above: 0, default: 1 },
    stride_last: {
      doc: 'Stride in the last sub-block only, not in each.',
      format: 'boolean',
      default: false,
    },
    future_context: { doc: 'Frames the kernel sees ahead; -1 for half of it.', format: 'int', default: -1 },
  },
  { ignored: { se_interpolation_mode: 'the context is one average, there is nothing to interpolate' } },
);

/** The schema of NeMo's ConvASREncoder. */
export const convAsrEncoderSchema = defineSchema(
  'ConvASREncoder',
  {
    feat_in: { doc: 'Mel bins.', ...count },
    frame_splicing: {
      doc: 'That of the preprocessor: the first block takes feat_in times as many features.',
      ...count,
      default: 1,
    },
    jasper: { doc: 'The blocks, in order.', format: listOf(jasperBlockSchema, { min: 1 }) },
    activation: {
      doc: 'After each normalisation.',
      format: ['relu', 'hardtanh', 'selu', 'swish', 'silu', 'gelu', 'identity'],
    },
    normalization_mode: {
      doc: 'What normalises: over the batch, an utterance, a group of channels or one channel.',
      format: ['batch', 'layer', 'group', 'instance'],
      default: 'batch',
    },
    norm_groups: {
      doc: 'For normalization_mode: group; -1 for one group a channel.',
      format: 'int',
      default: -1,
    },
    residual_mode: {
      doc: 'For blocks that do not say.',
      format: ['add', 'stride_add', 'max'],
      default: 'add',
    },
    conv_mask: { doc: 'Zero the padding before each convolution.', format: 'boolean', default: true },
    init_mode: {
      doc: "Initial weights; null for PyTorch's.",
      format: [
        'xavier_uniform',
        'xavier_normal',
        'kaiming_uniform',
        'kaiming_normal',
        'tds_uniform',
        'tds_normal',
      ],
      nullable: true,
      default: 'xavier_uniform',
    },
    ...checkpointFields,
  },
  {
    doc: 'Convolutional encoder: Jasper, QuartzNet, Citrinet or ContextNet, by its blocks.',
    refine: refineCheckpoints({ hasAttention: false }),
    ignored: {
      quantize: { instead: 'nothing is quantised', harmless: [false] },
    },
  },
);

/** A checked `encoder` section of a ConvASREncoder. */
export type ConvASREncoderConfig = InferConfig<typeof convAsrEncoderSchema>;
/** One block of a checked `jasper` list. */
export type JasperBlockConfig = InferConfig<typeof jasperBlockSchema>;
