// From a .nemo archive to a model with its weights. Which class is up to the caller, or to the archive's
// `target`; see models/components.ts.
import { type Config, type ConfigNode, type Loaded, mergeConfigs, requireMapping } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import { AnemoneError, printable } from '../errors/index.js';
import { loadWeights, type Module } from '../nn/index.js';
import { openNemoArchive } from './archive.js';
import { type ArchiveLayout, makeTolerantly, restoredConfig } from './restored-config.js';
import { sealedBut } from './sealed.js';

/** What is changed of the archive's model while it is restored. */
export interface RestoreOptions {
  /** Changes of the archive's config, as `key=value`; keys start with `model.`. */
  readonly overrides?: readonly string[];
  /** A whole config, or its `model` section, laid over the archive's (NeMo's `override_config_path`, loaded). */
  readonly config?: Loaded | Readonly<Record<string, unknown>>;
  /** Whether every weight must be in the archive and none beyond. Default true. */
  readonly strict?: boolean;
}

/** What restoring is given. */
export interface RestoreContext {
  /** Holds the weights. */
  readonly engine: Engine | undefined;
  /** Gets a line for the user at a time. */
  readonly say: (line: string) => void;
}

/** What a model of an archive is made in. */
export interface ArchiveContext {
  readonly engine: Engine;
  readonly log: (line: string) => void;
  /** Files of the archive; the model's config names them. */
  readonly artifacts: ReadonlyMap<string, Uint8Array>;
  /** Whether a path may come from the archive alone. */
  readonly sealed: (path: string) => boolean;
}

/** The config an archive holds, under `model`. @throws AnemoneError `nemo.*`, `tar.*`, `config.*` */
export async function restoreConfig(path: string, overrides: readonly string[] = []): Promise<Config> {
  const archive = await openNemoArchive(path);
  try {
    return await archive.config(overrides);
  } finally {
    await archive.close();
  }
}

/**
 * Makes the model that a .nemo archive describes and gives it the archive's weights.
 * @param layout the sections of such models
 * @param keptSections sections that `make` puts in: their mistakes are told, where those of an archive are passed over
 * @param make builds a model of a `model` section
 * @throws AnemoneError `nemo.*`, `tar.*`, `zip.*`, `torch.*`, `pickle.*` for what is wrong with the archive,
 *   `config.*` for its config, `checkpoint.mismatch` for weights that do not fit
 */
export async function restoreArchive<M extends Module>(
  path: string,
  make: (node: ConfigNode, archive: ArchiveContext) => M,
  { engine, say }: RestoreContext,
  layout: ArchiveLayout,
  options: RestoreOptions = {},
  keptSections: readonly string[] = [],
): Promise<M> {
  const { overrides = [] } = requireMapping(options, 'options');
  if (!Array.isArray(overrides) || overrides.some((change) => typeof change !== 'string')) {
    throw new AnemoneError({
      code: 'config.invalid-value',
      path: 'overrides',
      message: 'expected a list of texts, key=value',
    });
  }
  if (!engine) {
    throw new AnemoneError({
      code: 'asr.no-engine',
      message: 'restoring needs the engine that is to hold the weights',
      hint: 'pass a trainer, or { engine }',
    });
  }
  const archive = await openNemoArchive(path);
  try {
    const files = await archive.artifacts();
    // Read while the model is made. Whoever waits for them below is told if they cannot be.
    const weights = archive.weights(true);
    weights.catch(() => {});
    const sealed = sealedBut(options.overrides, options.config);
    const writtenConfig = await archive.config(options.overrides);
    const config = options.config ? mergeConfigs(writtenConfig, wholeConfig(options.config)) : writtenConfig;
    const model = makeTolerantly(
      config,
      (triedConfig) => {
        const { model: node, artifacts } = restoredConfig(triedConfig.model, files, layout);
        return make(node, { engine, log: withoutTheUsual(say, layout.usual), artifacts, sealed });
      },
      { say, layout },
      [...(options.overrides ?? []), ...keptSections.map((key) => `model.${key}=`)],
    );
    const states = [...model.stateDict().values()];
    const stored = await weights;
    const source =
      layout.weights?.(stored, requireMapping(config, 'config')['model'] as ConfigNode) ?? stored;
    const { missing, unexpected } = await loadWeights(states, source, engine, {
      ...options,
      tied: model.tiedNames(),
    });
    if (missing.length > 0)
      say(`${printable(path)} has no ${printable(missing.join(', '))}: kept as initialised`);
    if (unexpected.length > 0) say(`${printable(path)}: not used are ${printable(unexpected.join(', '))}`);
    return model;
  } finally {
    await archive.close();
  }
}

function wholeConfig(config: object): object {
  const givenConfig = requireMapping(config, 'config');
  return 'model' in givenConfig
    ? { model: requireMapping(givenConfig['model'], 'config.model') }
    : { model: givenConfig };
}

/** Tells what is said, but for lines of keys that every archive has. */
function withoutTheUsual(say: (line: string) => void, usual: RegExp): (text: string) => void {
  return (text) => {
    const [heading, ...lines] = text.split('\n');
    const keptLines = lines.filter((line) => line.trim() !== '' && !usual.test(line));
    if (lines.length === 0 || keptLines.length > 0) say([heading, ...keptLines].join('\n'));
  };
}
