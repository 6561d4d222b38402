// What is particular to .nemo archives of speech models: their sections, and what NeMo derives for them.
import { type ConfigNode, selectValue } from '../../config/index.js';
import { CONFIG_WARNINGS, type Container, LOG, READ_FILE, warningsInLog } from '../../container/index.js';
import { ENGINE } from '../../engine/index.js';
import { asText } from '../../errors/index.js';
import { ModelFiles, useFiles } from '../../model/index.js';
import {
  type ArchiveContext,
  type ArchiveLayout,
  type RestoreOptions,
  restoreArchive,
} from '../../nemo/index.js';
import type { Module } from '../../nn/index.js';

/** Recordings of any rate are converted to the preprocessor's, so these say what the files will be, and no more. */
export const SAMPLE_RATES = [
  'sample_rate',
  'train_ds.sample_rate',
  'validation_ds.sample_rate',
  'test_ds.sample_rate',
] as const;

/** The sections that a family of models has in its archives, beside those of all speech models. */
export interface ArchiveSections {
  /** Those that describe the network. */
  readonly network: readonly string[];
  /** Those that say how hypotheses are found, beside `decoding`. Default: none. */
  readonly decoding?: readonly string[];
}

/** @param families whose models may be in the archive */
function speechArchive(families: readonly ArchiveSections[]): ArchiveLayout {
  const training = ['train_ds', 'validation_ds', 'test_ds', 'optim', 'optim_param_groups'];
  const decoding = ['decoding', ...families.flatMap((family) => family.decoding ?? [])];
  const paths = [...training, ...decoding].map((section) => section.replaceAll('.', '\\.')).join('|');
  return {
    aside: [...training, ...decoding, 'spec_augment'],
    // Recordings are converted to the preprocessor's rate, whatever else an archive says.
    repeated: SAMPLE_RATES,
    network: [
      ...['preprocessor', 'encoder', 'tokenizer', 'labels'],
      ...families.flatMap(({ network }) => network),
    ],
    // NeMo writes every key of its decoding and data into every archive; keys of the network are another matter.
    usual: new RegExp(
      `: model\\.(log_prediction|tokenizer\\.spe_tokenizer_vocab|encoder\\.pos_emb_max_len|use_cer|(${paths})\\.\\S+): `,
    ),
    derived,
  };
}

/**
 * A speech model of an archive, with its weights in the engine of a container. It is made in a scope of this, where files
 * are those of the archive.
 * @param families that the model may be of
 * @param keptSections sections that `make` puts in: their mistakes are told, where those of an archive are passed over
 * @throws AnemoneError; see `restoreArchive`
 */
export function restoreSpeechArchive<M extends Module>(
  path: string,
  make: (node: ConfigNode, scope: Container) => M,
  container: Container,
  families: readonly ArchiveSections[],
  options: RestoreOptions = {},
  keptSections: readonly string[] = [],
): Promise<M> {
  return restoreArchive(
    path,
    (node, archive) => make(node, archiveScope(container, archive)),
    {
      engine: container.has(ENGINE) ? container.resolve(ENGINE) : undefined,
      say: container.resolve(LOG),
    },
    speechArchive(families),
    options,
    keptSections,
  );
}

function archiveScope(container: Container, { log, artifacts, sealed }: ArchiveContext): Container {
  const scope = container.scope().registerValue(LOG, log);
  scope.registerValue(CONFIG_WARNINGS, warningsInLog(log));
  return useFiles(scope, new ModelFiles(container.resolve(READ_FILE), artifacts, sealed));
}

/** Characters of a character model, and the version's numerics. */
function derived(model: ConfigNode): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  if (!('nemo_compat' in model)) values['nemo_compat'] = numericsOf(model['nemo_version']);
  if (!model['tokenizer'] && !model['labels']) {
    const vocabulary = selectValue(model, 'decoder.vocabulary') ?? selectValue(model, 'joint.vocabulary');
    if (vocabulary) values['labels'] = vocabulary;
  }
  return values;
}

/** Subsampling sees padding up to NeMo 2.4; see `nemo_compat`. */
function numericsOf(version: unknown): '1.x' | '2.5' {
  const [major, minor] = asText(version ?? '')
    .split('.')
    .map(Number);
  if (Number.isNaN(major) || Number.isNaN(minor)) return '2.5';
  return major < 2 || (major === 2 && minor < 5) ? '1.x' : '2.5';
}
