// The `model` section of NeMo's megatron_gpt_finetuning_config.yaml (1.23): a model that is restored and tuned on prompts and
// answers, whole or by adapters.
import { lowRankFields } from '../../adapters/index.js';
import { defineSchema, type FieldDefinitions, type IgnoredKeys, listOf, type SectionInput } from '../../config/index.js'; // biome-ignore format: one line
import { checkpointFields } from '../../nn/index.js';
import { optimizerFields } from '../gpt-schema.js';

const optional = { nullable: true, default: null } as const;
const count = { format: 'int', min: 1 } as const;
const flag = (value: boolean) => ({ format: 'boolean', default: value }) as const;
const rate = { format: 'number', min: 0, below: 1 } as const;
const unsupported = (instead: string, ...harmless: unknown[]) => ({ instead, harmless });

const rowFields = {
  file_names: { doc: 'Files of JSON lines, a prompt and its answer each.', format: listOf('string') },
  global_batch_size: { doc: 'Samples of a step. Default: that of the model.', ...count, ...optional },
  micro_batch_size: { doc: 'Samples computed at once. Default: that of the model.', ...count, ...optional },
  shuffle: { doc: 'Samples come in another order in each epoch.', ...flag(false) },
  drop_last: { doc: 'Leave out what fills no batch; otherwise it is filled up with nothing.', ...flag(false) },
  max_seq_length: { doc: 'Most tokens of a row, and of a packed sample.', ...count, default: 2048 },
  packed_sequence: { doc: 'Several rows share a sample, and do not see each other.', ...flag(false) },
  prompt_template: {
    doc: 'A row as text, with {key} for each value; the answer is last.',
    format: 'string',
    default: '{input} {output}',
  },
  label_key: { doc: 'Key of the answer.', format: 'string', default: 'output' },
  truncation_field: { doc: 'Keys, joined by commas, whose texts are shortened in rows that are too long.', format: 'string', nullable: true, default: 'input' },
  truncation_method: { doc: 'Which end of them is cut off.', format: ['left', 'right'], default: 'right' },
  add_bos: { doc: 'The beginning of text comes first.', ...flag(false) },
  add_sep: { doc: 'A separator stands before the answer: the end of text, as in NeMo where a tokenizer has none.', ...flag(false) },
  add_eos: { doc: 'The end of text comes last, and is learned.', ...flag(true) },
  names: { doc: 'Of sets, for their metrics; only kept.', format: listOf('string'), ...optional },
  metric: { doc: 'What is measured: loss, perplexity and bits per byte always are.', format: 'mapping', ...optional },
} as const satisfies FieldDefinitions; // biome-ignore format: a table

const rowIgnored = {
  num_workers: unsupported('rows are read before the first step', 0, 1, 2),
  memmap_workers: unsupported('rows are read before the first step', null, 0, 1, 2),
  pin_memory: unsupported('there is no copy to a GPU to wait for', true, false),
  min_seq_length: unsupported('rows of any length are taken', 1),
  concat_sampling_probabilities: unsupported('files are read one after the other', null, [1.0]),
  index_mapping_dir: unsupported('no index is kept', null),
  context_key: unsupported('prompt_template names the keys', 'input'),
  write_predictions_to_file: unsupported('anemone generate writes answers', false),
  output_file_path_prefix: unsupported('anemone generate writes answers', null),
  tokens_to_generate: unsupported('anemone generate writes answers', 32),
  hf_dataset: unsupported('files are JSON lines', false),
  pad_to_max_length: unsupported('samples are as long as the longest row', true, false),
  tokens_to_generate_at_validation: unsupported('anemone generate writes answers', null),
} as const satisfies IgnoredKeys;

const rowSchema = (name: string, defaults: { readonly shuffle: boolean; readonly drop_last: boolean }) =>
  defineSchema(
    name,
    { ...rowFields, shuffle: { ...rowFields.shuffle, default: defaults.shuffle }, drop_last: { ...rowFields.drop_last, default: defaults.drop_last } },
    {
      doc: 'Prompts and answers.',
      ignored: rowIgnored,
      refine: ({ prompt_template: template, label_key: label }, report) => {
        if (!template.trimEnd().endsWith(`{${label}}`))
          report('prompt_template', `it must end with the answer, {${label}}`);
      },
    },
  ); // biome-ignore format: lines that read better

const training = { shuffle: true, drop_last: true };
const evaluating = { shuffle: false, drop_last: false };
const dataSchema = defineSchema(
  'data',
  {
    train_ds: { doc: 'For training.', format: rowSchema('train_ds', training), ...optional },
    validation_ds: { doc: 'For validation.', format: rowSchema('validation_ds', evaluating), ...optional },
    test_ds: { doc: 'For tests.', format: rowSchema('test_ds', evaluating), ...optional },
  },
  {
    doc: 'Prompts and answers.',
    ignored: {
      chat: unsupported('rows of messages are chats', false, true),
      chat_prompt_tokens: unsupported('the model’s own template writes chats', null),
    },
  },
);
/** A checked section of rows. */
export type RowsConfig = NonNullable<ReturnType<typeof dataSchema.parse>['train_ds']>;

const { dim, dropout, ...shared } = lowRankFields;
const loraSchema = defineSchema(
  'lora_tuning',
  { adapter_dim: dim, adapter_dropout: dropout, ...shared },
  {
    doc: 'LoRA, under NeMo’s keys.',
    ignored: {
      weight_tying: unsupported('layers have adapters of their own', false),
      position_embedding_strategy: unsupported('layers have adapters of their own', null),
    },
  },
);

/** NeMo's configs have the sections of all schemes. */
const otherScheme = { doc: 'Of another scheme; only kept.', format: 'mapping', ...optional } as const;
const peftSchema = defineSchema(
  'peft',
  {
    peft_scheme: {
      doc: 'lora, or none (null) to train the whole model.',
      format: ['lora', 'none'],
      nullable: true,
      default: 'lora',
    },
    restore_from_path: {
      doc: 'An adapter to go on from: a folder of Hugging Face’s PEFT, whose rank and targets then count.',
      format: 'string',
      ...optional,
    },
    lora_tuning: { doc: 'LoRA.', format: loraSchema, default: {} },
    adapter_tuning: otherScheme,
    p_tuning: otherScheme,
    ia3_tuning: otherScheme,
    selective_tuning: otherScheme,
  },
  { doc: 'Which parameters are trained.' },
);
export type PeftConfig = ReturnType<typeof peftSchema.parse>;

const ignored = {
  resume_from_checkpoint: unsupported('exp_manager.resume_if_exists goes on', null),
  save_nemo_on_validation_end: unsupported('exp_manager.checkpoint_callback_params.always_save_nemo says so', false),
  tensor_model_parallel_size: unsupported('one process has the whole model', 1),
  pipeline_model_parallel_size: unsupported('one process has the whole model', 1),
  sequence_parallel: unsupported('one process has whole sequences', false),
  sync_batch_comm: unsupported('it changes no number here', true, false),
  megatron_amp_O2: unsupported('it changes no number here', true, false),
  gradient_as_bucket_view: unsupported('it changes no number here', true, false),
  activations_checkpoint_layers_per_pipeline: unsupported('there is no pipeline', null),
  fsdp: unsupported('nothing is sharded', false),
  apply_rope_fusion: unsupported('it changes no number here', true, false),
  mcore_gpt: unsupported('the restored model says so', true, false),
  pipeline_model_parallel_split_rank: unsupported('there is no pipeline', 0),
} as const satisfies IgnoredKeys; // biome-ignore format: a table

/** The keys of NeMo 1.23's megatron_gpt_finetuning_config.yaml. */
export const tuningSchema = defineSchema(
  'MegatronGPTSFTModel',
  {
    target: { doc: 'Class of the model, for restoring.', format: 'string', ...optional },
    nemo_version: { doc: 'Version that wrote the configuration; only kept.', format: 'string', ...optional },
    restore_from_path: {
      doc: 'The model that is tuned: a .nemo or .gguf file, or a folder of Hugging Face.',
      format: 'string',
    },
    restore_from_digest: {
      doc: 'Written into checkpoints, which hold no weights of that model: the SHA-256 that it must have.',
      format: 'string',
      ...optional,
    },
    micro_batch_size: { doc: 'Samples that are computed at once.', ...count, default: 4 },
    global_batch_size: { doc: 'Samples of a step: a multiple of micro_batch_size.', ...count, default: 128 },
    seed: { doc: 'Of the order of the samples.', format: 'nat', default: 1234 },
    answer_only_loss: { doc: 'Prompts are not learned.', ...flag(true) },
    hidden_dropout: { doc: 'Instead of the restored model’s.', ...rate, default: 0 },
    attention_dropout: { doc: 'Instead of the restored model’s.', ...rate, default: 0 },
    ffn_dropout: { doc: 'Instead of the restored model’s.', ...rate, default: 0 },
    ...checkpointFields,
    peft: { doc: 'Which parameters are trained. Default: all.', format: peftSchema, ...optional },
    data: { doc: 'Prompts and answers.', format: dataSchema, ...optional },
    ...optimizerFields,
  },
  {
    doc: 'NeMo’s fine-tuning of a Megatron GPT on prompts and answers (SFT), whole or by LoRA.',
    ignored,
    refine: (config, report) => {
      const train = config.data?.train_ds;
      const micro = train?.micro_batch_size ?? config.micro_batch_size;
      const global = train?.global_batch_size ?? config.global_batch_size;
      if (global % micro !== 0)
        report('global_batch_size', `${global} is no multiple of micro_batch_size, ${micro}`);
    },
  },
);

/** A `model` section of this family: a loaded one, or its keys. */
export type TuningSection = SectionInput<typeof tuningSchema>;
/** A checked `model` section of a tuned model. */
export type TuningConfig = ReturnType<typeof tuningSchema.parse>;
