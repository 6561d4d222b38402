// The `model` section of NeMo's megatron_gpt_config.yaml (1.23) and megatron_llama_config.yaml.
import { adaptersFormat } from '../adapters/index.js';
import { componentConfig, defineSchema, type FieldDefinitions, type IgnoredKeys, listOf, type SectionInput, sectionOrComponent } from '../config/index.js'; // biome-ignore format: one line
import { checkpointFields } from '../nn/index.js';
import { paramGroupsFormat } from '../optim/index.js';
import { tokenizerKind } from '../text/index.js';
import { familyFields } from './family-keys.js';

const optional = { nullable: true, default: null } as const;
const count = { format: 'int', min: 1 } as const;
const rate = { format: 'number', min: 0, below: 1 } as const;
const flag = (value: boolean) => ({ format: 'boolean', default: value }) as const;

const tokenizerSchema = defineSchema(
  'tokenizer',
  {
    library: {
      doc: 'megatron: GPT-2’s vocab_file and merge_file; huggingface: tokenizer.json; sentencepiece; tiktoken; byte-level: bytes, no file.',
      format: ['megatron', 'sentencepiece', 'huggingface', 'byte-level', 'tiktoken'],
      default: 'megatron',
    },
    type: { doc: 'GPT2BPETokenizer for megatron; the folder of tokenizer.json for huggingface; the encoding for tiktoken.', format: 'string', ...optional }, // biome-ignore format: one line
    model: { doc: 'The SentencePiece model.', format: 'string', ...optional },
    vocab_file: { doc: 'vocab.json of GPT-2, or the vocabulary of tiktoken.', format: 'string', ...optional },
    merge_file: { doc: 'merges.txt of GPT-2.', format: 'string', ...optional },
    tokenizer_file: {
      doc: 'tokenizer.json, for huggingface and megatron.',
      format: 'string',
      ...optional,
    },
  },
  {
    doc: 'Cuts texts into tokens.',
    ignored: {
      delimiter: { instead: 'only tabular data has one', harmless: [null] },
      sentencepiece_legacy: { instead: 'special tokens are those of the model', harmless: [false] },
      use_fast: 'there is one implementation',
    },
  },
);
export type LmTokenizerSection = SectionInput<typeof tokenizerSchema>;

const dataSchema = defineSchema(
  'data',
  {
    data_prefix: {
      doc: 'Indexed sets of anemone preprocess or Megatron, without .bin and .idx, or text files (.txt, .jsonl, .json, each also .gz): a path, a list of paths, a list of weights and paths in turn, or such lists under train, validation and test.',
      format: 'any',
      ...optional,
    },
    json_key: { doc: 'Key of the text in JSON lines.', format: 'string', default: 'text' },
    splits_string: {
      doc: 'Shares of training, validation and test where data_prefix is one list; documents of indexed sets, tokens of text files are cut in this order.',
      format: 'string',
      default: '900,50,50',
    },
    seq_length: {
      doc: 'Tokens of a sample. Default: encoder_seq_length.',
      ...count,
      nullable: true,
      default: null,
    },
    reset_position_ids: { doc: 'Positions start again after the end of a document.', ...flag(false) },
    reset_attention_mask: { doc: 'Documents do not see each other.', ...flag(false) },
    eod_mask_loss: { doc: 'The end of a document is no target.', ...flag(false) },
    index_mapping_dir: {
      doc: 'Folder of the indices that say in which order samples of indexed sets come. Default: beside the set.',
      format: 'string',
      ...optional,
    },
    validation_drop_last: {
      doc: 'Leave out the rest that fills no sample; otherwise it is padded.',
      ...flag(true),
    },
  },
  {
    doc: 'Where samples come from.',
    ignored: {
      data_impl: { instead: 'files say what they are', harmless: ['mmap', 'mock'] },
      skip_warmup: { instead: 'nothing is warmed up', harmless: [true, false] },
      num_workers: { instead: 'texts are cut before the first step', harmless: [0, 1, 2] },
      dataloader_type: { instead: 'samples come in the order of the index', harmless: ['single'] },
      no_seqlen_plus_one_input_tokens: {
        instead: 'a sample has one token more than seq_length',
        harmless: [false],
      },
      pad_samples_to_global_batch_size: { instead: 'epochs are endless', harmless: [false] },
      shuffle_documents: { instead: 'documents are shuffled', harmless: [true] },
      exchange_indices_distributed: { instead: 'there is one process', harmless: [false] },
      mock_dataset: { instead: 'data_prefix is read', harmless: [false] },
    },
  },
);
export type LmDataConfig = ReturnType<typeof dataSchema.parse>;

const activations = ['gelu', 'fast-gelu', 'openai-gelu', 'approx-gelu', 'relu', 'squared-relu', 'silu', 'geglu', 'fast-geglu', 'reglu', 'fast-reglu', 'swiglu', 'fast-swiglu'] as const; // biome-ignore format: a table

const ropeScalingSchema = defineSchema(
  'rope_scaling',
  {
    rope_type: { doc: 'How frequencies are stretched.', format: ['linear', 'llama3', 'yarn'] },
    factor: { doc: 'By how much.', format: 'number', above: 0 },
    original_max_position_embeddings: { doc: 'Positions that the model was trained on (llama3, yarn).', ...count, default: 8192 },
    low_freq_factor: { doc: 'llama3: waves that turn less often are stretched.', format: 'number', above: 0, default: 1 },
    high_freq_factor: { doc: 'llama3: waves that turn more often are kept.', format: 'number', above: 0, default: 4 },
    beta_fast: { doc: 'yarn: waves that turn more often are kept.', format: 'number', above: 0, default: 32 },
    beta_slow: { doc: 'yarn: waves that turn less often are stretched.', format: 'number', above: 0, default: 1 },
    attention_factor: { doc: 'yarn: factor of cosines and sines. Default: 0.1 · ln(factor) + 1.', format: 'number', above: 0, ...optional },
  },
  { doc: 'Rotary positions for more than a model was trained on.' },
); // biome-ignore format: a table

/** What the trainer reads of a section of a language model. */
export const optimizerFields = {
  optim: {
    doc: 'Optimizer and schedule; read by the trainer.',
    format: componentConfig('optimizer', { nameKey: 'name' }),
    ...optional,
  },
  optim_param_groups: {
    doc: 'Settings per module; read by the trainer. Default: norms and biases do not decay.',
    format: paramGroupsFormat,
    ...optional,
  },
  freeze: { doc: 'Modules that are not trained, or patterns.', format: listOf('string'), default: [] },
  skip_nan_grad: { doc: 'Skip updates that are not finite; read by the trainer.', ...flag(false) },
} as const satisfies FieldDefinitions;

const networkFields = {
  mcore_gpt: { doc: 'Names of weights: those of Megatron core, or of NeMo before it.', ...flag(false) },
  encoder_seq_length: { doc: 'Tokens of a sample.', ...count, default: 512 },
  max_position_embeddings: { doc: 'Most positions. Default: encoder_seq_length.', ...count, ...optional },
  num_layers: { doc: 'Layers.', ...count, max: 1000, default: 12 },
  hidden_size: { doc: 'Width.', ...count, default: 768 },
  ffn_hidden_size: { doc: 'Width inside the feed-forward block. Default: 4 × hidden_size.', ...count, ...optional },
  num_attention_heads: { doc: 'Heads of queries.', ...count, default: 12 },
  num_query_groups: { doc: 'Heads of keys and values. Default: num_attention_heads.', ...count, ...optional },
  kv_channels: { doc: 'Size of a head. Default: hidden_size / num_attention_heads.', ...count, ...optional },
  init_method_std: { doc: 'Weights start from a normal distribution of this deviation.', format: 'number', above: 0, default: 0.02 },
  use_scaled_init_method: { doc: 'Maps back into the residual start smaller, by √(2 · num_layers).', ...flag(true) },
  hidden_dropout: { doc: 'Of embeddings and of what blocks give.', ...rate, default: 0.1 },
  attention_dropout: { doc: 'Of the attention weights.', ...rate, default: 0.1 },
  ffn_dropout: { doc: 'After the activation.', ...rate, default: 0 },
  normalization: {
    doc: 'layernorm1p and rmsnorm1p store the weight less 1.',
    format: ['layernorm', 'layernorm1p', 'low_precision_layernorm', 'rmsnorm', 'rmsnorm1p'],
    default: 'layernorm',
  },
  layernorm_epsilon: { doc: 'Added to the variance.', format: 'number', above: 0, default: 1e-5 },
  transformer_block_type: { doc: 'Norms before each block, or after its residual; normformer: before it, after attention and inside the feed-forward block (needs mcore_gpt: false, as in NeMo).', format: ['pre_ln', 'post_ln', 'normformer'], default: 'pre_ln' },
  headscale: { doc: 'What each head gives is multiplied by a number that is learned.', ...flag(false) },
  bias: { doc: 'Biases of linear maps.', ...flag(true) },
  activation: { doc: 'Inside the feed-forward block; fast- changes nothing here.', format: activations, default: 'gelu' },
  bias_activation_fusion: { doc: 'gelu is its tanh form, which NeMo’s fused kernel computes.', ...flag(true) },
  openai_gelu: { doc: 'gelu is its tanh form.', ...flag(false) },
  position_embedding_type: { doc: 'Positions; alibi: scores fall with distance, in each head at a slope of its own.', format: ['learned_absolute', 'rope', 'alibi', 'none'], default: 'learned_absolute' },
  rotary_percentage: { doc: 'Share of each head that is turned.', format: 'number', above: 0, max: 1, default: 1 },
  rotary_base: { doc: 'Base of the rotary frequencies.', format: 'number', above: 0, default: 10000 },
  seq_len_interpolation_factor: { doc: 'Rotary positions are divided by it.', format: 'number', above: 0, ...optional },
  rope_scaling: { doc: 'Rotary positions for more than a model was trained on, as Hugging Face writes it: {rope_type: llama3, factor: 8, …} or yarn.', format: ropeScalingSchema, ...optional },
  window_size: { doc: 'Positions that a query sees before its own: [256, 0]. Default: all.', format: listOf('int'), ...optional },
  share_embeddings_and_output_weights: { doc: 'The head is the table of embeddings.', ...flag(true) },
  make_vocab_size_divisible_by: { doc: 'Rows of the table are a multiple of it.', ...count, default: 128 },
  ...familyFields,
  ...checkpointFields,
} as const satisfies FieldDefinitions; // biome-ignore format: a table

const unsupported = (instead: string, ...harmless: unknown[]) => ({ instead, harmless });

/** Keys that change no number, with the values of NeMo's own configs. */
function onlySpeed<K extends string>(keys: Readonly<Record<K, readonly unknown[]>>) {
  const entries = Object.entries<readonly unknown[]>(keys).map(([key, harmless]) => [
    key,
    { instead: 'it changes no number here', harmless },
  ]);
  return Object.fromEntries(entries) as Record<K, { instead: string; harmless: readonly unknown[] }>;
}

const ignored = {
  restore_from_path: unsupported('init_from_nemo_model starts from an archive', null),
  resume_from_checkpoint: unsupported('exp_manager.resume_if_exists goes on', null),
  tensor_model_parallel_size: unsupported('one process has the whole model', 1),
  pipeline_model_parallel_size: unsupported('one process has the whole model', 1),
  virtual_pipeline_model_parallel_size: unsupported('one process has the whole model', null),
  context_parallel_size: unsupported('one process has whole sequences', 1),
  sequence_parallel: unsupported('one process has whole sequences', false),
  apply_query_key_layer_scaling: unsupported('scores are computed in float32', false, true),
  attention_softmax_in_fp32: unsupported('scores are computed in float32', false, true),
  do_layer_norm_weight_decay: unsupported('norms and biases do not decay; see optim_param_groups', false),
  normalize_attention_scores: unsupported('scores are normalised', true),
  attention_type: unsupported('attention is multihead', 'multihead'),
  fp32_residual_connection: unsupported('all is computed in float32', false, true),
  fp16_lm_cross_entropy: unsupported('all is computed in float32', false),
  pre_process: unsupported('the model is whole', true),
  post_process: unsupported('the model is whole', true),
  transformer_engine: unsupported('there is one implementation', false, true),
  fp8: unsupported('there is no fp8', false),
  fsdp: unsupported('nothing is sharded', false),
  cpu_offloading: unsupported('all is on the CPU', false),
  use_emha: unsupported('attention is multihead', false),
  sharp: unsupported('there is no such network', false),
  onnx_safe: unsupported('there is one implementation', false, true),
  num_micro_batches_with_partial_activation_checkpoints: unsupported('all batches are alike', null),
  activations_checkpoint_layers_per_pipeline: unsupported('there is no pipeline', null),
  nsys_profile: unsupported('nothing is profiled', null, { enabled: false }),
  ...onlySpeed({
    persist_layer_norm: [true, false],
    overlap_p2p_comm: [true, false],
    batch_p2p_comm: [true, false],
    native_amp_init_scale: [4294967296],
    native_amp_growth_interval: [1000],
    hysteresis: [2],
    megatron_amp_O2: [true, false],
    grad_allreduce_chunk_size_mb: [125],
    grad_div_ar_fusion: [true, false],
    gradient_accumulation_fusion: [true, false],
    bias_dropout_add_fusion: [true, false],
    masked_softmax_fusion: [true, false],
    get_attention_mask_from_fusion: [true, false],
    use_cpu_initialization: [true, false],
    apex_transformer_log_level: [30],
    gradient_as_bucket_view: [true, false],
    sync_batch_comm: [true, false],
    nccl_communicator_config_path: [null],
    fsdp_sharding_strategy: ['full'],
    fsdp_grad_reduce_dtype: ['fp32', 32],
    fsdp_sharded_checkpoint: [true, false],
    fp8_e4m3: [false],
    fp8_hybrid: [true],
    fp8_margin: [0],
    fp8_interval: [1],
    fp8_amax_history_len: [1024],
    fp8_amax_compute_algo: ['max', 'most_recent'],
    reduce_amax: [true],
    ub_tp_comm_overlap: [false],
    ub_tp_comm_overlap_cfg: [null],
    use_flash_attention: [true, false],
    cpu_offloading_num_layers: Array.from({ length: 200 }, (_, i) => i),
    cpu_offloading_activations: [true],
    cpu_offloading_weights: [true],
    enable_megatron_timers: [false],
    megatron_timer_kwargs: [{ log_every_n_steps: 10, log_mode: 'minmax', barrier: false }],
    gc_interval: [0],
  }),
} as const satisfies IgnoredKeys;

/** The keys of NeMo 1.23's megatron_gpt_config.yaml, with its defaults. */
export const gptModelSchema = defineSchema(
  'MegatronGPTModel',
  {
    target: { doc: 'Class of the model, for restoring.', format: 'string', ...optional },
    nemo_version: { doc: 'Version that wrote the configuration; only kept.', format: 'string', ...optional },
    micro_batch_size: { doc: 'Samples that are computed at once.', ...count, default: 4 },
    global_batch_size: { doc: 'Samples of a step: a multiple of micro_batch_size.', ...count, default: 8 },
    rampup_batch_size: {
      doc: 'Steps grow to global_batch_size: [samples of the first, samples added at a time, samples in which all is added].',
      format: listOf('int'),
      ...optional,
    },
    seed: { doc: 'Of the order of the samples.', format: 'nat', default: 1234 },
    ...networkFields,
    tokenizer: {
      doc: 'Cuts texts into tokens.',
      format: sectionOrComponent(tokenizerSchema, tokenizerKind.kind),
    },
    data: { doc: 'Where samples come from.', format: dataSchema, ...optional },
    adapters: { doc: 'Adapters that were added to the model, by name.', format: adaptersFormat, ...optional },
    ...optimizerFields,
  },
  {
    doc: 'NeMo’s Megatron GPT: a causal language model.',
    ignored,
    refine: (config, report) => {
      const { hidden_size: width, num_attention_heads: heads, num_query_groups: groups } = config;
      if (config.kv_channels === null && width % heads !== 0)
        report('num_attention_heads', `${heads} heads cannot share a width of ${width}`);
      if (groups !== null && heads % groups !== 0)
        report('num_query_groups', `${heads} heads cannot share ${groups} groups`);
      const { micro_batch_size: micro, global_batch_size: global } = config;
      if (global % micro !== 0)
        report('global_batch_size', `${global} is no multiple of micro_batch_size, ${micro}`);
      const { rampup_batch_size: ramp } = config;
      if (ramp !== null) {
        const [start, added, samples] = ramp;
        if (ramp.length !== 3 || ramp.some((value) => !(value > 0)))
          report('rampup_batch_size', 'expected three numbers above 0: [start, increment, samples]');
        else if (start > global || (global - start) % added !== 0)
          report('rampup_batch_size', `steps of ${added} samples do not lead from ${start} to ${global}`);
        else if (start % micro !== 0 || added % micro !== 0)
          report(
            'rampup_batch_size',
            `${start} and ${added} must be multiples of micro_batch_size, ${micro}`,
          );
        else if (samples < (global - start) / added)
          report(
            'rampup_batch_size',
            `${samples} samples are too few to grow ${(global - start) / added} times`,
          );
      }
      if (config.mcore_gpt && config.transformer_block_type === 'normformer')
        report('transformer_block_type', 'Megatron core has no normformer: it needs mcore_gpt: false');
      if (config.mcore_gpt && config.headscale)
        report('headscale', 'Megatron core does not scale heads: it needs mcore_gpt: false');
      if (config.position_embedding_type === 'alibi' && config.attn_logit_softcapping !== null)
        report('attn_logit_softcapping', 'scores with position_embedding_type: alibi cannot be bent');
      const most = config.max_position_embeddings ?? config.encoder_seq_length;
      if (config.position_embedding_type === 'learned_absolute' && most < config.encoder_seq_length)
        report('max_position_embeddings', `samples have ${config.encoder_seq_length} tokens`);
    },
  },
);

/** A `model` section of this family: a loaded one, or its keys. */
export type GptModelSection = SectionInput<typeof gptModelSchema>;
/** A checked `model` section of a MegatronGPTModel. */
export type GptModelConfig = ReturnType<typeof gptModelSchema.parse>;
