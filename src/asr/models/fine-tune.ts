// Fine-tuning configs in NeMo's form (speech_to_text_finetune.yaml): a `model` section without a network, which comes
// from the archive named by `init_from_nemo_model`, with data, augmentation and optimizer of the config.
import {
  type ConfigNode,
  type ConfigWarning,
  defineSchema,
  isMapping,
  listOf,
  overlayNode,
  type SectionInput,
} from '../../config/index.js';
import { CONFIG_WARNINGS, type Container } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Section } from '../../model/index.js';
import { MODEL_FILES, useFiles } from '../../model/index.js';
import { sealedBut } from '../../nemo/index.js';
import { type ArchiveSections, restoreSpeechArchive } from '../nemo/speech-archive.js';
import { commonFields, commonIgnored } from './model-schema.js';
import type { SpeechModel } from './speech-model.js';

/** What takes the place of the archive's. */
const REPLACED = [
  'train_ds',
  'validation_ds',
  'test_ds',
  'optim',
  'optim_param_groups',
  'spec_augment',
  'freeze',
  'compute_eval_loss',
  'skip_nan_grad',
] as const;

const charLabelsSchema = defineSchema('char_labels', {
  update_labels: {
    doc: 'Take these labels instead of those of the archive.',
    format: 'boolean',
    default: false,
  },
  labels: { doc: 'Characters.', format: listOf('string'), nullable: true, default: null },
});

const optional = { nullable: true, default: null } as const;
/** A `model` section that describes the fine-tuning of an archive's model. */
export type FineTuningSection = SectionInput<typeof fineTuningSchema>;

export const fineTuningSchema = defineSchema(
  'a model section without an encoder',
  {
    ...Object.fromEntries(REPLACED.map((key) => [key, commonFields[key]])),
    sample_rate: { doc: 'For other keys to refer to; the archive has its own.', format: 'int', ...optional },
    tokenizer: { doc: 'With update_tokenizer: true, another tokenizer.', format: 'mapping', ...optional },
    char_labels: { doc: 'Other characters.', format: charLabelsSchema, ...optional },
  },
  {
    ignored: {
      ...commonIgnored,
      rnnt_reduction: 'that of the archive counts',
      ctc_reduction: 'that of the archive counts',
    },
  },
);

/** Whether the config asks for a model that is not in it. */
export function isFineTuning(config: ConfigNode): boolean {
  const model = config['model'];
  return isMapping(model) && !('encoder' in model) && ('train_ds' in model || isNamed(config));
}

function isNamed(config: ConfigNode): boolean {
  return ['init_from_nemo_model', 'init_from_pretrained_model'].some((key) => key in config);
}

/**
 * The archive's model, in the container's engine, as the config wants it trained. With `tokenizer.update_tokenizer` or
 * `char_labels.update_labels` it gets another vocabulary, and decoder and joint start anew, as in NeMo.
 * @param families that the archive's model may be of
 * @throws AnemoneError `init.no-model` when no archive is named; `config.unknown-key`; what restoring throws
 */
export async function fineTunedModel(
  config: ConfigNode,
  make: (node: ConfigNode, scope: Container) => SpeechModel,
  container: Container,
  families: readonly ArchiveSections[],
): Promise<SpeechModel> {
  const path = config['init_from_nemo_model'];
  if (typeof path !== 'string') {
    throw new AnemoneError({
      code: 'init.no-model',
      path: 'init_from_nemo_model',
      message: 'the model section has no encoder, and no model to start from is named',
      hint: 'init_from_nemo_model=model.nemo (models are not downloaded by name)',
    });
  }
  const writtenSection = config['model'] as ConfigNode;
  const warnings: ConfigWarning[] = [];
  // Restoring says nothing of keys without effect, which every archive has; those of the config are worth saying.
  fineTuningSchema.parse(writtenSection, { lookup: container.components, warnings });
  container.resolve(CONFIG_WARNINGS)(warnings);
  const replaced = REPLACED.filter((key) => key in writtenSection);
  const nothing = Object.fromEntries(replaced.map((key) => [key, null]));
  const changes = Object.fromEntries(replaced.map((key) => [key, writtenSection[key]]));
  // Laid over nulls, so that nothing of the archive's own sections stays in them.
  const withChanges = (node: ConfigNode): ConfigNode => overlayNode(overlayNode(node, nothing), changes);
  // What the config names is the user's word, though it is laid over an archive.
  const opened = (archive: Container) =>
    useFiles(archive.scope(), archive.resolve(MODEL_FILES).sealedBy(sealedBut([], changes)));
  const remake = (node: ConfigNode, archive: Container) => make(withChanges(node), opened(archive));
  const model = await restoreSpeechArchive(path, remake, container, families, {}, replaced);
  const vocabulary = newVocabulary(writtenSection);
  return vocabulary ? model.changeVocabulary(vocabulary) : model;
}

function newVocabulary(
  model: ConfigNode,
): { readonly tokenizer: Section } | { readonly labels: readonly string[] } | undefined {
  const tokenizer = model['tokenizer'];
  if (isMapping(tokenizer) && tokenizer['update_tokenizer'] === true) {
    const { update_tokenizer: _, ...section } = tokenizer as Section;
    return { tokenizer: section };
  }
  if (!isMapping(model['char_labels'])) return undefined;
  const { update_labels, labels } = charLabelsSchema.parse(model['char_labels']);
  return update_labels && labels ? { labels } : undefined;
}
