// The config of an archive as a model of ours reads it: files of the archive under plain names, the NeMo
// version's numerics, and without what belongs to NeMo's training alone and is not known here.
import { type Config, type ConfigNode, isMapping, overlayNode, withOverrides } from '../config/index.js';
import { AnemoneError, AnemoneErrors, printable } from '../errors/index.js';
import type { WeightSource } from '../nn/index.js';

/** The `model` section, with the files it refers to under the names it now has for them. */
export interface RestoredConfig {
  readonly model: ConfigNode;
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
}

/**
 * Refers to `nemo:<hash>_<name>` as `<name>` where that is unique: checkpoints keep a tokenizer's files under
 * such names. Fills in what NeMo derives.
 */
export function restoredConfig(
  model: ConfigNode,
  files: ReadonlyMap<string, Uint8Array>,
  layout: ArchiveLayout,
): RestoredConfig {
  const plainNames = [...files.keys()].map((name) => name.replace(/^[0-9a-f]{32}_/, ''));
  const artifacts = new Map<string, Uint8Array>();
  const names = new Map<string, string>();
  for (const [i, [name, bytes]] of [...files].entries()) {
    const unique = plainNames.filter((otherName) => otherName === plainNames[i]).length === 1;
    names.set(`nemo:${name}`, unique ? plainNames[i] : `nemo:${name}`);
    artifacts.set(unique ? plainNames[i] : `nemo:${name}`, bytes);
  }
  return { model: overlayNode(model, { ...renamed(model, names), ...layout.derived(model) }), artifacts };
}

function renamed(node: ConfigNode, names: ReadonlyMap<string, string>): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const key of Object.keys(node)) {
    // A value that still is ??? throws when it is read; it names no file.
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

/** The sections that a kind of model has in its archives. */
export interface ArchiveLayout {
  /**
   * Sections that only training, data and decoding read: neither weights nor what the network computes depend on
   * them.
   */
  readonly aside: readonly string[];
  /** Keys that say again what others decide; they are left out where they contradict, unless the user gave them. */
  readonly repeated: readonly string[];
  /** Sections that describe the network. */
  readonly network: readonly string[];
  /** Warnings about keys that NeMo writes into every archive: that they have no effect is worth no line. */
  readonly usual: RegExp;
  /** What NeMo derives from a `model` section instead of writing it down. */
  derived(model: ConfigNode): Readonly<Record<string, unknown>>;
  /** The archive's weights by the names that the model has. Default: as they are. */
  weights?(file: WeightSource, model: ConfigNode): WeightSource;
}

/**
 * Makes a model of the config, leaving out what is aside of the network where it is not understood: unknown
 * keys first, then whole sections. `say` is told of each.
 * @param askedPaths what the user changed, as `key=value`: sections these name are kept, and their mistakes told
 * @throws AnemoneError, AnemoneErrors for what the network needs and is wrong
 */
export function makeTolerantly<M>(
  config: Config,
  make: (config: Config) => M,
  { say, layout }: { readonly say: (line: string) => void; readonly layout: ArchiveLayout },
  askedPaths: readonly string[] = [],
): M {
  let currentConfig = config;
  const gone = new Set<string>();
  for (;;) {
    try {
      return make(currentConfig);
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      const problems = error instanceof AnemoneErrors ? error.errors : [error];
      const reasons = new Map<string, AnemoneError>();
      for (const problem of problems) {
        const path = dispensable(problem, askedPaths, layout);
        if (path !== undefined && !gone.has(path)) reasons.set(path, problem);
      }
      // The problems that remain are problems of the network. They are told without those that solve themselves.
      if (reasons.size === 0) throw error;
      const paths = [...reasons.keys()];
      for (const path of paths) gone.add(path);
      const unknownPaths = paths.filter((path) => reasons.get(path)?.code === 'config.unknown-key');
      if (unknownPaths.length > 0)
        say(`left out of the archive's config: ${printable(unknownPaths.join(', '))}`);
      for (const [path, { code, message }] of reasons) {
        if (code !== 'config.unknown-key')
          say(`left out of the archive's config: ${printable(path)} (${message})`);
      }
      currentConfig = withOverrides(
        currentConfig,
        paths.map((path) => `~${path}`),
      );
    }
  }
}

/** What to leave out so that a problem goes away; undefined when the network needs it. */
function dispensable(
  { code, path = '' }: AnemoneError,
  askedPaths: readonly string[],
  layout: ArchiveLayout,
): string | undefined {
  const within = path.replace(/^model\./, '');
  // Sections that repeat what others decide are left to the others.
  const repeated = layout.repeated.includes(within) && within.split('.').at(-1);
  if (repeated && !askedPaths.some((change) => change.includes(repeated))) return path;
  const aside = layout.aside.find((section) => within === section || within.startsWith(`${section}.`));
  const [top] = within.split('.');
  if (code === 'config.unknown-key' && (aside || !layout.network.includes(top))) return path;
  if (!aside || askedPaths.some((change) => change.replace(/^[+~]*model\./, '').startsWith(aside)))
    return undefined;
  return `model.${aside}`;
}
