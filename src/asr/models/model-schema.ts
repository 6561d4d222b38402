// Keys that the `model` sections of all speech models share: NeMo's names.
import { adaptersFormat } from '../../adapters/index.js';
import {
  type ComponentSection,
  componentConfig,
  defineSchema,
  type FieldDefinitions,
  type Format,
  isMapping,
  listOf,
  oneOf,
  recordOf,
  type SectionInput,
  sectionOrComponent,
} from '../../config/index.js';
import { dataSchema } from '../../data/index.js';
import { dataSourceKind } from '../../model/index.js';
import { paramGroupsFormat } from '../../optim/index.js';
import { tokenizerFields, tokenizerKind, tokenizerTypeProblem } from '../../text/index.js';

const optional = { nullable: true, default: null } as const;

/** A tokenizer section within one; it is checked as any other, and documented once. */
const languageFormat: Format<unknown> = {
  expected: 'a tokenizer section',
  accepts: isMapping,
  check: (value, at) => tokenizerFormat.check(value, at),
  jsonSchema: () => ({ type: 'object' }),
};

const tokenizerSchema = defineSchema(
  'tokenizer',
  {
    type: {
      doc: 'bpe (any SentencePiece model), wpe (WordPiece), char, word or agg; or the path of NeMo’s class.',
      format: 'string',
      default: 'bpe',
    },
    ...tokenizerFields,
    langs: { ...tokenizerFields.langs, format: recordOf(languageFormat) },
  },
  {
    ignored: {
      spe_tokenizer_vocab: 'the model file has the vocabulary',
    },
    refine: (config, report) => {
      const { path, reason, hint } = tokenizerTypeProblem(config) ?? {};
      if (path !== undefined && reason !== undefined) report(path, reason, hint);
    },
  },
);

/** A section of the keys above, or a component: one of NeMo’s classes, or the user's. */
const tokenizerFormat: Format<unknown, SectionInput<typeof tokenizerSchema> | ComponentSection> =
  sectionOrComponent(tokenizerSchema, tokenizerKind.kind);

/** Manifests, or a source of the user's. */
const dataFormat = sectionOrComponent(dataSchema, dataSourceKind.kind);

const data = { format: dataFormat, ...optional } as const;
const evaluationData = { format: oneOf(dataFormat, listOf(dataFormat)), ...optional } as const;

/** Fields that the `model` sections of all speech models have. */
export const commonFields = {
  target: { doc: 'Class of the model, for restoring.', format: 'string', ...optional },
  nemo_version: { doc: 'Version that wrote the configuration; only kept.', format: 'string', ...optional },
  nemo_compat: {
    doc: 'Which NeMo the numbers of front end and encoder follow: 1.x up to 2.4, 2.5 from there on.',
    format: ['1.x', '2.5'],
    default: '2.5',
  },
  sample_rate: { doc: 'Hz.', format: 'int', min: 1, default: 16000 },
  labels: { doc: 'Characters, for models without tokenizer section.', format: listOf('string'), ...optional },
  tokenizer: { doc: 'Cuts transcripts into tokens.', format: tokenizerFormat, ...optional },
  train_ds: { doc: 'Training data.', ...data },
  validation_ds: { doc: 'Validation data, or a list of several sets.', ...evaluationData },
  test_ds: { doc: 'Test data, or a list of several sets.', ...evaluationData },
  model_defaults: { doc: 'Values for other keys to refer to.', format: 'mapping', default: {} },
  preprocessor: { doc: 'Front end.', format: componentConfig('preprocessor') },
  spec_augment: {
    doc: 'Masks training features.',
    format: componentConfig('spec_augment'),
    ...optional,
  },
  encoder: { doc: 'Acoustic encoder.', format: componentConfig('encoder') },
  adapters: {
    doc: 'Adapters that were added to the model, by name, as addAdapter and NeMo keep them; each is a component.',
    format: adaptersFormat,
    ...optional,
  },
  compute_eval_loss: { doc: 'Compute the loss in validation too.', format: 'boolean', default: true },
  optim: {
    doc: 'Optimizer and schedule; read by the trainer.',
    format: componentConfig('optimizer', { nameKey: 'name' }),
    ...optional,
  },
  optim_param_groups: {
    doc: 'Settings per module; read by the trainer.',
    format: paramGroupsFormat,
    ...optional,
  },
  freeze: {
    doc: 'Modules that are not trained, or patterns with `*` over parameter names: [encoder.pre_encode, "*.bias"].',
    format: listOf('string'),
    default: [],
  },
  skip_nan_grad: {
    doc: 'Skip updates that are not finite; read by the trainer.',
    format: 'boolean',
    default: false,
  },
} as const satisfies FieldDefinitions;

/** Keys of NeMo's that no speech model here has a use for. */
export const commonIgnored = {
  log_prediction: 'predictions are logged by the trainer',
  variational_noise: {
    instead: 'no noise is added to gradients',
    harmless: [null, { start_step: 0, std: 0 }, { start_step: 0, std: 0.0 }],
  },
  normalize_joint_txu: 'gradients are not scaled by length',
  normalize_encoder_norm: { instead: 'gradients are not scaled by length', harmless: [false] },
  normalize_decoder_norm: { instead: 'gradients are not scaled by length', harmless: [false] },
  normalize_joint_norm: { instead: 'gradients are not scaled by length', harmless: [false] },
  use_cer: { instead: 'both WER and CER are reported', harmless: [false, true] },
} as const;
