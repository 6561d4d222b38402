// Options of the Conformer encoder: NeMo's keys, NeMo's defaults.

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

/** The keys of NeMo's ConformerEncoder. */
export interface ConformerEncoderConfig {
  /** Mel bins. */
  readonly feat_in: number;
  readonly n_layers: number;
  readonly d_model: number;
  /** Width of an added output projection; -1 for none. */
  readonly feat_out?: number;
  readonly subsampling?: SubsamplingType;
  /** A power of two for the convolutional kinds. */
  readonly subsampling_factor?: number;
  /** -1 for d_model. */
  readonly subsampling_conv_channels?: number;
  readonly causal_downsampling?: boolean;
  readonly ff_expansion_factor?: number;
  /** Reduces the frame rate once more, after layer `reduction_position` (from 0; -1: after all). */
  readonly reduction?: 'pooling' | 'striding' | null;
  readonly reduction_position?: number | null;
  /** A power of two; 1 for no reduction. */
  readonly reduction_factor?: number;
  /** rel_pos_local_attn attends to att_context_size in memory that grows with T·context, not T². */
  readonly self_attention_model?: 'rel_pos' | 'rel_pos_local_attn' | 'abs_pos';
  readonly n_heads?: number;
  readonly att_context_size?: ContextSize | readonly ContextSize[] | null;
  /** With several contexts: how often each is drawn in training. Default equally often. */
  readonly att_context_probs?: readonly number[] | null;
  readonly att_context_style?: 'regular' | 'chunked_limited';
  /** Multiply the input of the first layer by √d_model. */
  readonly xscaling?: boolean;
  /** Position biases of their own for each layer. */
  readonly untie_biases?: boolean;
  /** Odd. */
  readonly conv_kernel_size?: number;
  /** batch_norm, layer_norm, instance_norm, fused_batch_norm or group_normN. */
  readonly conv_norm_type?: string;
  /** null: symmetric; "causal": past only; [left, right] with left + right + 1 = conv_kernel_size. */
  readonly conv_context_size?: 'causal' | ContextSize | null;
  readonly use_bias?: boolean;
  readonly dropout?: number;
  readonly dropout_pre_encoder?: number;
  readonly dropout_emb?: number;
  readonly dropout_att?: number;
  readonly stochastic_depth_drop_prob?: number;
  readonly stochastic_depth_mode?: 'linear' | 'uniform';
  readonly stochastic_depth_start_layer?: number;
  /** For local attention: frames that attend to all and are attended by all. */
  readonly global_tokens?: number;
  readonly global_tokens_spacing?: number;
  readonly global_attn_separate?: boolean;
  readonly nemo_compat?: NemoCompat;
}

export type ResolvedConformerConfig = Required<ConformerEncoderConfig>;

export const conformerDefaults: Omit<ResolvedConformerConfig, 'feat_in' | 'n_layers' | 'd_model'> = {
  feat_out: -1,
  subsampling: 'striding',
  subsampling_factor: 4,
  subsampling_conv_channels: -1,
  causal_downsampling: false,
  ff_expansion_factor: 4,
  reduction: null,
  reduction_position: null,
  reduction_factor: 1,
  self_attention_model: 'rel_pos',
  n_heads: 4,
  att_context_size: [-1, -1],
  att_context_probs: null,
  att_context_style: 'regular',
  xscaling: true,
  untie_biases: true,
  conv_kernel_size: 31,
  conv_norm_type: 'batch_norm',
  conv_context_size: null,
  use_bias: true,
  dropout: 0.1,
  dropout_pre_encoder: 0.1,
  dropout_emb: 0.1,
  dropout_att: 0,
  stochastic_depth_drop_prob: 0,
  stochastic_depth_mode: 'linear',
  stochastic_depth_start_layer: 1,
  global_tokens: 0,
  global_tokens_spacing: 1,
  global_attn_separate: false,
  nemo_compat: '2.5',
};
