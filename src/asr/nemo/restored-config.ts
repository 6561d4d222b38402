// The config of an archive as a model of ours reads it: files of the archive under plain names, the NeMo
// version's numerics, and without what belongs to NeMo's training alone and is not known here.
import {
  type Config,
  type ConfigNode,
  isMapping,
  overlayNode,
  selectValue,
  withOverrides,
} from '../../config/index.js';
import { AnemoneError, AnemoneErrors, asText } from '../../errors/index.js';

/** The `model` section, with the files it refers to under the names it now has for them. */
export interface RestoredConfig {
  readonly model: ConfigNode;
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

/**
 * Refers to `nemo:<hash>_<name>` as `<name>` where that is unique: checkpoints keep a tokenizer's files under
 * such names. Fills in what NeMo derives: characters of a character model, the version's numerics.
 */
export function restoredConfig(model: ConfigNode, files: ReadonlyMap<string, Uint8Array>): RestoredConfig {
  const plain = [...files.keys()].map((name) => name.replace(/^[0-9a-f]{32}_/, ''));
  const artifacts = new Map<string, Uint8Array>();
  const names = new Map<string, string>();
  for (const [i, [name, bytes]] of [...files].entries()) {
    const unique = plain.filter((other) => other === plain[i]).length === 1;
    names.set(`nemo:${name}`, unique ? plain[i] : `nemo:${name}`);
    artifacts.set(unique ? plain[i] : `nemo:${name}`, bytes);
  }
  return { model: overlayNode(model, { ...renamed(model, names), ...derived(model) }), artifacts };
}

function renamed(node: ConfigNode, names: ReadonlyMap<string, string>): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const key of Object.keys(node)) {
    // What is still ??? throws when read; it is no name of a file.
    const value = selectOrNothing(node, key);
    if (typeof value === 'string' && value.startsWith('nemo:')) changes[key] = names.get(value) ?? value;
    if (!isMapping(value)) continue;
    const below = renamed(value, names);
    if (Object.keys(below).length > 0) changes[key] = below;
  }
  return changes;
}

function selectOrNothing(node: ConfigNode, key: string): unknown {
  try {
    return node[key];
  } catch {
    return undefined;
  }
}

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

/** Sections that training, data and decoding read. Weights and what the network computes do not depend on them. */
const ASIDE = [
  'train_ds',
  'validation_ds',
  'test_ds',
  'optim',
  'decoding',
  'spec_augment',
  'aux_ctc.decoding',
];
const NETWORK = [
  ...['preprocessor', 'encoder', 'decoder', 'joint', 'tokenizer', 'labels', 'aux_ctc'],
  ...['transf_encoder', 'transf_decoder', 'head'],
];

/**
 * Makes a model of the config, leaving out what is aside of the network where it is not understood: unknown
 * keys first, then whole sections. `say` is told of each.
 * @param asked what the user changed, as `key=value`: sections these name are kept, and their mistakes told
 * @throws AnemoneError, AnemoneErrors for what the network needs and is wrong
 */
export function makeTolerantly<M>(
  config: Config,
  make: (config: Config) => M,
  say: (line: string) => void,
  asked: readonly string[] = [],
): M {
  let current = config;
  const gone = new Set<string>();
  for (;;) {
    try {
      return make(current);
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      const problems = error instanceof AnemoneErrors ? error.errors : [error];
      const reasons = new Map<string, AnemoneError>();
      for (const problem of problems) {
        const path = dispensable(problem, asked);
        if (path !== undefined && !gone.has(path)) reasons.set(path, problem);
      }
      // What remains are problems of the network, told without those that solve themselves.
      if (reasons.size === 0) throw error;
      const paths = [...reasons.keys()];
      for (const path of paths) gone.add(path);
      const unknown = paths.filter((path) => reasons.get(path)?.code === 'config.unknown-key');
      if (unknown.length > 0) say(`left out of the archive's config: ${unknown.join(', ')}`);
      for (const [path, { code, message }] of reasons) {
        if (code !== 'config.unknown-key') say(`left out of the archive's config: ${path} (${message})`);
      }
      current = withOverrides(
        current,
        paths.map((path) => `~${path}`),
      );
    }
  }
}

/** What to leave out so that a problem goes away; undefined when the network needs it. */
function dispensable({ code, path = '' }: AnemoneError, asked: readonly string[]): string | undefined {
  const within = path.replace(/^model\./, '');
  const aside = ASIDE.find((section) => within === section || within.startsWith(`${section}.`));
  const [top] = within.split('.');
  if (code === 'config.unknown-key' && (aside || !NETWORK.includes(top))) return path;
  if (!aside || asked.some((change) => change.replace(/^[+~]*model\./, '').startsWith(aside)))
    return undefined;
  return `model.${aside}`;
}
