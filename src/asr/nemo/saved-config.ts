// A model's config as NeMo reads it: its class paths, the sizes and vocabularies NeMo expects to find written
// down, and none of the keys that are this library's own. What only one family of models has, the family says.
import type { ModelAdapters } from '../../adapters/index.js';
import { configFromValues, hasTarget, isMapping, toYaml } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import { AnemoneError, asText } from '../../errors/index.js';
import type { ArchivedConfig } from '../../nemo/index.js';
import { checkpointFields } from '../../nn/index.js';
import { CharTokenizer, type Tokenizer } from '../../text/index.js';
import type { Encoder } from '../encoders/encoder.js';
import type { Preprocessor } from '../encoders/front-end.js';
import { SavedSections } from './saved-sections.js';
import { type Register, tokenizerSection } from './saved-tokenizer.js';

/** What is read of any model. */
export interface SpeechParts {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer;
  readonly preprocessor: Preprocessor;
  readonly encoder: Encoder;
  readonly adapters: ModelAdapters;
}

/** A class of models by the names that configs and archives know it by. */
export interface NamedClass {
  /** The component's. */
  readonly name: string;
  /** Where Python finds it; the last of them is written into archives, or `name` where there are none. */
  readonly paths: readonly string[];
}

/** A class of NeMo's, which its package and the file in it both export. */
export function nemoClass(name: string, file: string): NamedClass {
  return {
    name,
    paths: [`nemo.collections.asr.models.${name}`, `nemo.collections.asr.models.${file}.${name}`],
  };
}

/** What a family of models says of the config that NeMo reads. */
export interface SavedFamily<M extends SpeechParts = SpeechParts> {
  readonly classes: {
    readonly tokens: NamedClass;
    /** Its class for models whose vocabulary is `labels`. Default: `tokens`. */
    readonly characters?: NamedClass;
  };
  /** Dotted paths of the sections that name a component, beside those of all speech models, with its kind. */
  readonly bricks: readonly (readonly [path: string, kind: string])[];
  /**
   * Sections that NeMo has without `_target_`, by their dotted paths: each function writes what a component named there
   * comes to, and returns false for one that NeMo does not have. Default: there are none.
   */
  readonly choices?: Readonly<Record<string, (target: string, config: SavedSections) => boolean>>;
  /** Keys that NeMo's classes of a section do not take, by the section's path. */
  readonly ownKeys: Readonly<Record<string, readonly string[]>>;
  /** Keys of data sections that NeMo needs for such models. Default: none. */
  readonly dataKeys?: Readonly<Record<string, unknown>>;
  /** Writes down what NeMo's constructors read from the config instead of deriving it. */
  completeConfig(config: SavedSections, model: M): void;
}

/** The sections of all speech models that name a component: those first that say most about what a model is. */
export const ENCODER_BRICKS = [['encoder', 'encoder']] as const;
export const FRONT_END_BRICKS = [
  ['preprocessor', 'preprocessor'],
  ['spec_augment', 'spec_augment'],
] as const;

/** How a model is trained is no part of it, and NeMo's speech modules do not take these keys. */
const TRAINING_KEYS = Object.keys(checkpointFields);
const OWN_KEYS = {
  preprocessor: ['nemo_compat'],
  spec_augment: ['nemo_compat'],
  encoder: ['nemo_compat', ...TRAINING_KEYS],
  transf_encoder: TRAINING_KEYS,
  'transf_decoder.config_dict': TRAINING_KEYS,
  'decoder.prednet': TRAINING_KEYS,
};

/**
 * @param name gives a file of the tokenizer its name in the archive
 * @throws AnemoneError `nemo.not-nemos` for parts that NeMo does not have
 */
export function savedConfig<M extends SpeechParts>(
  model: M,
  family: SavedFamily<M>,
  container: Container,
  name: (file: string, bytes: Uint8Array) => string,
): ArchivedConfig {
  const config = new SavedSections(model.config);
  const { root } = config;
  const { tokenizer } = model;
  const characters = tokenizer.constructor === CharTokenizer;
  for (const [path, keys] of Object.entries({ ...OWN_KEYS, ...family.ownKeys })) config.remove(path, keys);
  writeChoices(config, family);
  leaveOutData(config);
  nameForNemo(config, family, model.adapters, container);
  for (const [key, value] of Object.entries(root)) if (value === null) delete root[key];
  const artifacts = new Map<string, Uint8Array>();
  const register: Register = (file, bytes) => {
    const member = name(file.replace(/^.*\//, ''), bytes);
    artifacts.set(member, bytes);
    return `nemo:${member}`;
  };
  root['target'] = targetOf(family, characters);
  config.setDefault('nemo_version', root['nemo_compat'] === '1.x' ? '1.23.0' : '2.5.0');
  const { tokenizer: written } = root;
  if (characters) delete root['tokenizer'];
  else root['tokenizer'] = tokenizerSection(tokenizer, isMapping(written) ? written : {}, register);
  family.completeConfig(config, model);
  // NeMo's transcribe looks into this section.
  config.setDefault('validation_ds', {
    ...family.dataKeys,
    manifest_filepath: null,
    sample_rate: model.preprocessor.frontEnd.config.sample_rate,
    batch_size: 8,
    shuffle: false,
  });
  return { yaml: toYaml(configFromValues(root)), artifacts };
}

/** @throws AnemoneError `nemo.not-nemos` */
function writeChoices(config: SavedSections, { choices = {} }: Pick<SavedFamily, 'choices'>): void {
  for (const [path, write] of Object.entries(choices)) {
    const section = config.at(path);
    if (hasTarget(section) && !write(section['_target_'] as string, config)) {
      throw notNemos(`model.${path}`, section['_target_'] as string);
    }
  }
}

/** Where data came from says nothing of a model: sources that NeMo does not have are not written. */
function leaveOutData({ root }: SavedSections): void {
  for (const key of ['train_ds', 'validation_ds', 'test_ds']) {
    if (Array.isArray(root[key]) || hasTarget(root[key])) delete root[key];
  }
}

/** Our names of components become the class paths that Python imports. */
function nameForNemo(
  config: SavedSections,
  { bricks }: Pick<SavedFamily, 'bricks'>,
  adapters: ModelAdapters,
  container: Container,
): void {
  for (const [path, kind] of [...FRONT_END_BRICKS, ...ENCODER_BRICKS, ...bricks]) {
    rename(config.at(path), kind, container);
  }
  const encoder = config.at('encoder');
  if (adapters.inEncoder && encoder) {
    encoder['_target_'] = adapterClass(asText(encoder['_target_']), container);
  }
  for (const name of adapters.names) rename(config.at(`adapters.${name}`), 'adapter', container);
}

function rename(section: Record<string, unknown> | undefined, kind: string, container: Container): void {
  if (!section) return;
  const writtenTarget = asText(section['_target_']);
  const foundComponent = container.components
    .list()
    .find((c) => c.kind === kind && (c.name === writtenTarget || c.aliases.includes(writtenTarget)));
  const path = [writtenTarget, ...(foundComponent?.aliases ?? [])].find((alias) => alias.startsWith('nemo.'));
  if (!path) throw notNemos(kind, writtenTarget);
  section['_target_'] = path;
}

function notNemos(path: string, name: string): AnemoneError {
  return new AnemoneError({
    code: 'nemo.not-nemos',
    path: `${path}._target_`,
    message: `NeMo has no ${name}, so it could not restore this model`,
    hint: 'export to safetensors instead, or use a component of NeMo',
  });
}

/** NeMo puts adapters into encoders of classes of their own, which are the last aliases of ours. */
function adapterClass(writtenTarget: string, container: Container): string {
  const foundComponent = container.components
    .list()
    .find(({ kind, aliases }) => kind === 'encoder' && aliases.includes(writtenTarget));
  return foundComponent?.aliases.find((alias) => alias.endsWith('Adapter')) ?? writtenTarget;
}

function targetOf({ classes }: Pick<SavedFamily, 'classes'>, characters: boolean): string {
  const { name, paths } = (characters ? classes.characters : undefined) ?? classes.tokens;
  return paths.at(-1) ?? name;
}
