// A model's config as NeMo reads it: its class paths, the sizes and vocabularies NeMo expects to find written
// down, and none of the keys that are this library's own.
import type { ModelAdapters } from '../../adapters/index.js';
import { configFromValues, toYaml } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import { AnemoneError, asText } from '../../errors/index.js';
import type { ArchivedConfig } from '../../nemo/index.js';
import {
  AggregateTokenizer,
  CanaryBPETokenizer,
  CanaryTokenizer,
  CharTokenizer,
  type Tokenizer,
  WordPieceTokenizer,
  WordTokenizer,
} from '../../text/index.js';

import type { Encoder } from '../encoders/encoder.js';
import type { Preprocessor } from '../encoders/front-end.js';

type Plain = Record<string, unknown>;

/** What is read of a model. */
export interface SavedModel {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer;
  readonly preprocessor: Preprocessor;
  readonly encoder: Encoder;
  readonly adapters: ModelAdapters;
  readonly takesPrompt: boolean;
}

/** The same of a multitask model. */
interface SavedMultiTask extends SavedModel {
  readonly decoder: { readonly width: number; readonly config: { readonly vocab_size: number } };
}

/** What a model has that decides its class. */
interface Parts {
  readonly decoder?: { readonly width?: number; readonly layers?: number };
  readonly joint?: {
    readonly config: { readonly jointnet: { readonly joint_hidden: number; readonly activation: string } };
  };
  readonly ctcDecoder?: unknown;
}

/** Keys that NeMo's classes of a section do not take. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  preprocessor: ['nemo_compat'],
  spec_augment: ['nemo_compat'],
  encoder: ['nemo_compat'],
  joint: ['max_elements'],
  loss: ['implementation'],
  'decoding.greedy': ['window'],
  'aux_ctc.decoding.greedy': ['window'],
  aux_ctc: ['ctc_implementation'],
  '': ['ctc_implementation'],
};

/** @param name gives a file of the tokenizer its name in the archive */
export function savedConfig(
  model: SavedModel,
  container: Container,
  name: (file: string, bytes: Uint8Array) => string,
): ArchivedConfig {
  const config = structuredClone(model.config) as Plain;
  const { tokenizer } = model;
  const parts = model as unknown as Parts;
  const characters = tokenizer instanceof CharTokenizer;
  for (const [path, keys] of Object.entries(OWN)) {
    const section = at(config, path);
    for (const key of keys) if (section) delete section[key];
  }
  for (const [section, kind] of COMPONENTS) rename(at(config, section), kind, container);
  if (model.adapters.inEncoder) {
    const encoder = config['encoder'] as Plain;
    encoder['_target_'] = adapterClass(asText(encoder['_target_']), container);
  }
  for (const name of model.adapters.names) rename(at(config, `adapters.${name}`), 'adapter', container);
  for (const [key, value] of Object.entries(config)) if (value === null) delete config[key];
  const artifacts = new Map<string, Uint8Array>();
  const register = (file: string, bytes: Uint8Array): string => {
    const member = name(file.replace(/^.*\//, ''), bytes);
    artifacts.set(member, bytes);
    return `nemo:${member}`;
  };
  const multiTask = isMultiTask(model);
  config['target'] = multiTask ? MULTITASK : model.takesPrompt ? PROMPTED : targetOf(parts, characters);
  config['nemo_version'] ??= config['nemo_compat'] === '1.x' ? '1.23.0' : '2.5.0';
  if (!multiTask) config['labels'] = [...tokenizer.vocabulary];
  if (characters) delete config['tokenizer'];
  else config['tokenizer'] = tokenizerSection(tokenizer, config['tokenizer'] as Plain, register);
  if (multiTask) fillMultiTask(config, model);
  else fillSizes(config, model, parts);
  // NeMo's transcribe looks into this section.
  const { sample_rate } = model.preprocessor.frontEnd.config;
  config['validation_ds'] ??= {
    ...(multiTask && { use_lhotse: true }),
    manifest_filepath: null,
    sample_rate,
    batch_size: 8,
    shuffle: false,
  };
  return { yaml: toYaml(configFromValues(config)), artifacts };
}

const COMPONENTS = [
  ['preprocessor', 'preprocessor'],
  ['spec_augment', 'spec_augment'],
  ['encoder', 'encoder'],
  ['decoder', 'decoder'],
  ['joint', 'joint'],
  ['aux_ctc.decoder', 'decoder'],
  ['transf_encoder', 'transf_encoder'],
  ['transf_decoder', 'transf_decoder'],
  ['head', 'head'],
  ['loss', 'loss'],
] as const;

const MULTITASK = 'nemo.collections.asr.models.aed_multitask_models.EncDecMultiTaskModel';
const PROMPTED =
  'nemo.collections.asr.models.hybrid_rnnt_ctc_bpe_models_prompt.EncDecHybridRNNTCTCBPEModelWithPrompt';
const CANARY = 'nemo.collections.common.tokenizers.canary_tokenizer';

function at(config: Plain, path: string): Plain | undefined {
  let section: unknown = config;
  for (const key of path === '' ? [] : path.split('.')) section = (section as Plain | undefined)?.[key];
  return typeof section === 'object' && section !== null ? (section as Plain) : undefined;
}

/** Our names of components become the class paths that Python imports. */
function rename(section: Plain | undefined, kind: string, container: Container): void {
  // The losses of transducers are no components.
  if (!section || (kind === 'loss' && !section['_target_'])) return;
  const written = asText(section['_target_']);
  const found = container.components
    .list()
    .find((c) => c.kind === kind && (c.name === written || c.aliases.includes(written)));
  const path = [written, ...(found?.aliases ?? [])].find((alias) => alias.startsWith('nemo.'));
  if (!path) {
    throw new AnemoneError({
      code: 'nemo.not-nemos',
      path: `${kind}._target_`,
      message: `NeMo has no ${written}, so it could not restore this model`,
      hint: 'export to safetensors instead, or use a component of NeMo',
    });
  }
  section['_target_'] = path;
}

/** NeMo puts adapters into encoders of classes of their own, which are the last aliases of ours. */
function adapterClass(written: string, container: Container): string {
  const found = container.components
    .list()
    .find(({ kind, aliases }) => kind === 'encoder' && aliases.includes(written));
  return found?.aliases.find((alias) => alias.endsWith('Adapter')) ?? written;
}

function targetOf({ joint, ctcDecoder }: Parts, characters: boolean): string {
  const family = ctcDecoder ? 'hybrid_rnnt_ctc' : joint ? 'rnnt' : 'ctc';
  const classes = {
    hybrid_rnnt_ctc: ['EncDecHybridRNNTCTCModel', 'EncDecHybridRNNTCTCBPEModel'],
    rnnt: ['EncDecRNNTModel', 'EncDecRNNTBPEModel'],
    ctc: ['EncDecCTCModel', 'EncDecCTCModelBPE'],
  }[family];
  const file = characters ? `${family}_models` : `${family}_bpe_models`;
  return `nemo.collections.asr.models.${file}.${characters ? classes[0] : classes[1]}`;
}

type Register = (file: string, bytes: Uint8Array) => string;

function tokenizerSection(tokenizer: Tokenizer, written: Plain, register: Register): Plain {
  refuseForeign(tokenizer, 'type');
  const files = tokenizer.files();
  if (!(tokenizer instanceof AggregateTokenizer)) {
    const custom = tokenizer instanceof CanaryBPETokenizer && {
      custom_tokenizer: { _target_: `${CANARY}.CanaryBPETokenizer` },
    };
    const { dir = null } = written;
    return { ...filesOf(files, '', register), ...kindOf(tokenizer, written), dir, ...custom };
  }
  const langs: Plain = {};
  for (const lang of tokenizer.langs) {
    refuseForeign(tokenizer.tokenizerOf(lang), `langs.${lang}.type`);
    const section = at(written, 'langs')?.[lang] as Plain;
    const own = tokenizer.tokenizerOf(lang);
    langs[lang] = { ...filesOf(files, `${lang}/`, register), ...kindOf(own, section), dir: null };
  }
  const custom = tokenizer instanceof CanaryTokenizer && {
    custom_tokenizer: { _target_: `${CANARY}.CanaryTokenizer`, tokenizers: null },
  };
  return { type: 'agg', dir: null, langs, ...custom };
}

/** NeMo passes over `lowercase`, which only training follows. */
function kindOf(tokenizer: Tokenizer, written: Plain): Plain {
  if (!(tokenizer instanceof WordPieceTokenizer)) return { type: 'bpe' };
  return { type: 'wpe', ...(written['lowercase'] === true && { lowercase: true }) };
}

function refuseForeign(tokenizer: Tokenizer, key: string): void {
  const kind =
    tokenizer instanceof WordTokenizer
      ? 'word'
      : tokenizer instanceof CharTokenizer
        ? 'character'
        : undefined;
  if (!kind) return;
  throw new AnemoneError({
    code: 'nemo.not-nemos',
    path: `model.tokenizer.${key}`,
    message: `NeMo has no ${kind} tokenizer for such speech models, so it could not restore this model`,
  });
}

function filesOf(files: ReadonlyMap<string, Uint8Array>, folder: string, register: Register): Plain {
  const keys = {
    model_path: 'tokenizer.model',
    vocab_path: 'vocab.txt',
    spe_tokenizer_vocab: 'tokenizer.vocab',
  };
  const section: Plain = {};
  for (const [key, file] of Object.entries(keys)) {
    const bytes = files.get(folder + file);
    if (bytes) section[key] = register(file, bytes);
  }
  return section;
}

function isMultiTask(model: SavedModel): model is SavedMultiTask {
  return Boolean(model.config['transf_decoder']);
}

/** As `fillSizes`, for multitask models. */
function fillMultiTask(config: Plain, model: SavedMultiTask): void {
  const { width, config: sizes } = model.decoder;
  config['model_defaults'] = {
    ...(config['model_defaults'] as Plain),
    asr_enc_hidden: model.encoder.width,
    lm_enc_hidden: width,
    lm_dec_hidden: width,
  };
  const decoder = config['transf_decoder'] as Plain;
  // Without `encoder`, NeMo's function makes an encoder.
  Object.assign(decoder, { model_name: null, pretrained: false, encoder: null });
  Object.assign(decoder['config_dict'] as Plain, { vocab_size: sizes.vocab_size });
  Object.assign(config['head'] as Plain, { num_classes: sizes.vocab_size });
}

/** What NeMo's constructors read from the config instead of deriving it. */
function fillSizes(config: Plain, model: SavedModel, { decoder, joint, ctcDecoder }: Parts): void {
  const vocabulary = [...model.tokenizer.vocabulary];
  const classifier = { num_classes: vocabulary.length, vocabulary, feat_in: model.encoder.width };
  if (!joint) {
    Object.assign(config['decoder'] as Plain, classifier);
    return;
  }
  if (ctcDecoder) Object.assign(at(config, 'aux_ctc.decoder') as Plain, classifier);
  const { joint_hidden, activation } = joint.config.jointnet;
  const sizes = { encoder_hidden: model.encoder.width, pred_hidden: decoder?.width };
  config['model_defaults'] = {
    ...(config['model_defaults'] as Plain),
    enc_hidden: sizes.encoder_hidden,
    pred_hidden: sizes.pred_hidden,
    joint_hidden,
  };
  const prediction = config['decoder'] as Plain;
  prediction['vocab_size'] = vocabulary.length;
  Object.assign(prediction['prednet'] as Plain, { pred_rnn_layers: decoder?.layers });
  const jointSection = config['joint'] as Plain;
  Object.assign(jointSection, { num_classes: vocabulary.length, vocabulary });
  Object.assign(jointSection['jointnet'] as Plain, { ...sizes, activation });
  config['decoding'] ??= { strategy: 'greedy_batch', greedy: { max_symbols: 10 } };
}
