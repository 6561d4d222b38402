// All sections of a config checked together, before anything is made of them, so that every mistake is told at once. What
// is found is remembered by the container: making the trainer and the model of the same sections checks nothing again.
import {
  type CheckResult,
  type ConfigNode,
  type ConfigWarning,
  isMapping,
  isMissing,
  keyPositionOf,
  missingValue,
  positionOf,
  requireMapping,
  type Schema,
  throwAll,
} from '../../config/index.js';
import { type ComponentDescriptor, type ComponentRegistry, Container } from '../../container/index.js';
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { expManagerSchema, trainerSchema, trainingComponents } from '../../training/index.js';
import { adaptationSchema, isAdaptation } from './adaptation.js';
import { asrComponents } from './families.js';
import { fineTuningSchema, isFineTuning } from './fine-tune.js';
import { modelClass } from './section-family.js';

/** What a program knows of its config beside the sections that every training reads. */
export interface CheckConfigOptions {
  /** Knows the components that the config may name. Default: those of this library. */
  readonly container?: Container | undefined;
  /** Sections that the program reads itself, by name. */
  readonly sections?: Readonly<Record<string, Schema<unknown>>>;
}

/** Sections that every training reads. Others are a script's own, unless they look like a misspelling of these. */
const SECTIONS = ['name', 'model', 'trainer', 'exp_manager'];
const SCHEMAS: Readonly<Record<string, Schema<unknown>>> = {
  trainer: trainerSchema,
  exp_manager: expManagerSchema,
};
/** Keys that say which files the weights start from. */
const START = ['init_from_nemo_model', 'init_from_ptl_ckpt'];
const READ = [...SECTIONS, ...START, 'init_from_pretrained_model'];
/** Sections of Hydra's and of NeMo's scripts, and what happens instead. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  hydra: 'exp_manager says where files go',
};

/**
 * Checks every section of a config. Nothing is made and no file is opened.
 * @returns keys that have no effect
 * @throws AnemoneError, or AnemoneErrors `config.invalid` with every mistake, each with its file and line
 */
export function checkConfig(config: ConfigNode, options: CheckConfigOptions = {}): readonly ConfigWarning[] {
  requireMapping(config, 'config');
  const { container = new Container().registerAll(configComponents), sections = {} } = options;
  const errors: AnemoneError[] = [];
  const warnings: ConfigWarning[] = [];
  const take = (result: Pick<CheckResult<unknown>, 'errors' | 'warnings'>): void => {
    errors.push(...result.errors);
    warnings.push(...result.warnings);
  };
  for (const key of Object.keys(config)) {
    take(checkSection(config, key, container.components, { ...SCHEMAS, ...sections }));
  }
  if (!('model' in config)) take({ errors: [noModel(config)], warnings: [] });
  throwAll('config.invalid', `${errors.length} errors in the config:`, asWritten(errors));
  return warnings;
}

/** In the order of the file; what other files say comes after. */
function asWritten(errors: readonly AnemoneError[]): readonly AnemoneError[] {
  const files = [...new Set(errors.map(({ position }) => position?.file))];
  const rank = ({ position }: AnemoneError): readonly number[] => [
    files.indexOf(position?.file),
    position?.line ?? 0,
    position?.column ?? 0,
  ];
  return [...errors].sort((a, b) => {
    const [first, second] = [rank(a), rank(b)];
    const differs = first.findIndex((value, i) => value !== second[i]);
    return differs < 0 ? 0 : first[differs] - second[differs];
  });
}

/** All that a config of a speech model and its training may name. */
export const configComponents: readonly ComponentDescriptor[] = [...asrComponents, ...trainingComponents];

type Findings = Pick<CheckResult<unknown>, 'errors' | 'warnings'>;
const NOTHING: Findings = { errors: [], warnings: [] };

function checkSection(
  config: ConfigNode,
  key: string,
  lookup: ComponentRegistry,
  schemas: Readonly<Record<string, Schema<unknown>>>,
): Findings {
  const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
  if (!schema && key !== 'model') return checkOther(config, key);
  const position = positionOf(config, key);
  if (isMissing(config, key)) return { errors: [missingValue([key], position)], warnings: [] };
  const section: unknown = config[key];
  if (section === null && key !== 'model') return NOTHING;
  if (!isMapping(section)) return { errors: [noMapping(config, key)], warnings: [] };
  if (schema) return schema.validate(section, { lookup, path: key });
  try {
    return modelSchema(config, section, lookup).validate(section, { lookup, path: key });
  } catch (error) {
    if (!(error instanceof AnemoneError)) throw error;
    return { errors: [error], warnings: [] };
  }
}

/**
 * The schema of the `model` section, whatever it describes: a model, one to be fine-tuned, or an adapter for one.
 * @throws AnemoneError `asr.model-not-supported`, `container.unknown-component`
 */
function modelSchema(config: ConfigNode, model: ConfigNode, components: ComponentRegistry): Schema<unknown> {
  if (isAdaptation(model)) return adaptationSchema;
  const name = modelClass(model, components);
  return isFineTuning(config)
    ? fineTuningSchema
    : components.findFor(model, 'model', 'target', name, 'model').schema;
}

/**
 * Sections that nothing here reads. Single values are there to be referred to, unless they look like a misspelling of
 * what is read.
 */
function checkOther(config: ConfigNode, key: string): Findings {
  if (READ.includes(key)) return NOTHING;
  const hint = didYouMean(key, SECTIONS);
  const position = keyPositionOf(config, key);
  if (hint) {
    const error = { code: 'config.unknown-key', path: key, position, message: 'unknown section', hint };
    return { errors: [new AnemoneError(error)], warnings: [] };
  }
  const instead = startMeantBy(key);
  if (instead === undefined && (isMissing(config, key) || !isMapping(config[key]))) return NOTHING;
  const reason = instead ?? WITHOUT_EFFECT[key] ?? `training reads ${SECTIONS.slice(1).join(', ')}`;
  return { errors: [], warnings: [{ path: key, position, message: `"${key}" has no effect: ${reason}` }] };
}

/** For a key that looks as if the weights were to start from a file: what is read for that. */
function startMeantBy(key: string): string | undefined {
  const nearKey = didYouMean(key, START);
  if (nearKey) return nearKey;
  return key.startsWith('init_from')
    ? `weights start from ${START.join(' or ')}, of any kind of file`
    : undefined;
}

function noMapping(config: ConfigNode, key: string): AnemoneError {
  return new AnemoneError({
    code: 'config.not-a-mapping',
    path: key,
    position: positionOf(config, key),
    message: `expected a mapping of keys to values, got ${JSON.stringify(config[key])}`,
  });
}

function noModel(config: ConfigNode): AnemoneError {
  const { file } = positionOf(config) ?? {};
  return new AnemoneError({
    code: 'config.missing',
    message: 'there is no model section',
    ...(file !== undefined && { position: { file } }),
    hint: 'anemone config print shows what the file means',
  });
}
