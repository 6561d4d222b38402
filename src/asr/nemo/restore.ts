// From a .nemo archive to a model with its weights. Which class is up to the caller, or to the archive's
// `target`; see models/components.ts.
import { type Config, type ConfigNode, mergeConfigs, requireMapping } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import { loadWeights, type Module } from '../../nn/index.js';
import type { ModelContext } from '../models/context.js';
import { openNemoArchive } from './archive.js';
import { makeTolerantly, restoredConfig } from './restored-config.js';
import { sealedBut } from './sealed.js';

export interface RestoreOptions {
  /** Changes of the archive's config, as `key=value`; keys start with `model.`. */
  readonly overrides?: readonly string[];
  /** A whole config, or its `model` section, laid over the archive's (NeMo's `override_config_path`, loaded). */
  readonly config?: ConfigNode;
  /** Whether every weight must be in the archive and none beyond. Default true. */
  readonly strict?: boolean;
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
 * @param kept sections that `make` puts in: their mistakes are told, where those of an archive are passed over
 * @param make builds a model of a `model` section
 * @throws AnemoneError `nemo.*`, `tar.*`, `zip.*`, `torch.*`, `pickle.*` for what is wrong with the archive,
 *   `config.*` for its config, `checkpoint.mismatch` for weights that do not fit
 */
export async function restoreArchive<M extends Module>(
  path: string,
  make: (node: ConfigNode, context: ModelContext) => M,
  context: ModelContext,
  options: RestoreOptions = {},
  kept: readonly string[] = [],
): Promise<M> {
  const { overrides = [] } = requireMapping(options, 'options');
  if (!Array.isArray(overrides) || overrides.some((change) => typeof change !== 'string')) {
    throw new AnemoneError({
      code: 'config.invalid-value',
      path: 'overrides',
      message: 'expected a list of texts, key=value',
    });
  }
  const { engine } = context;
  if (!engine) {
    throw new AnemoneError({
      code: 'asr.no-engine',
      message: 'restoring needs the engine that is to hold the weights',
      hint: 'pass a trainer, or { engine }',
    });
  }
  const say = (line: string) => (context.log ?? ((text) => context.view?.say(text)))(line);
  const archive = await openNemoArchive(path);
  try {
    const files = await archive.artifacts();
    // Read while the model is made. Whoever waits for them below is told if they cannot be.
    const weights = archive.weights(true);
    weights.catch(() => {});
    const sealed = sealedBut(options.overrides, options.config);
    const written = await archive.config(options.overrides);
    const config = options.config ? mergeConfigs(written, wholeConfig(options.config)) : written;
    const model = makeTolerantly(
      config,
      (tried) => {
        const { model: node, artifacts } = restoredConfig(tried.model, files);
        return make(node, { ...withEngine(context), log: withoutTheUsual(say), artifacts, sealed });
      },
      say,
      [...(options.overrides ?? []), ...kept.map((key) => `model.${key}=`)],
    );
    const states = [...model.stateDict().values()];
    const { missing, unexpected } = await loadWeights(states, await weights, engine, {
      ...options,
      tied: model.tiedNames(),
    });
    if (missing.length > 0) say(`${path} has no ${missing.join(', ')}: kept as initialised`);
    if (unexpected.length > 0) say(`${path}: not used are ${unexpected.join(', ')}`);
    return model;
  } finally {
    await archive.close();
  }
}

function wholeConfig(config: ConfigNode): ConfigNode {
  const given = requireMapping(config, 'config');
  return 'model' in given ? { model: requireMapping(given['model'], 'config.model') } : { model: given };
}

/**
 * NeMo writes every key of its decoding and data into every archive. That they have no effect here is worth no
 * lines each time a model is opened; keys of the network are another matter.
 */
function withoutTheUsual(say: (line: string) => void): (text: string) => void {
  const usual =
    /: model\.(log_prediction|tokenizer\.spe_tokenizer_vocab|encoder\.pos_emb_max_len|use_cer|(train_ds|validation_ds|test_ds|optim|decoding|aux_ctc\.decoding)\.\S+): /;
  return (text) => {
    const [heading, ...lines] = text.split('\n');
    const kept = lines.filter((line) => line.trim() !== '' && !usual.test(line));
    if (lines.length === 0 || kept.length > 0) say([heading, ...kept].join('\n'));
  };
}

/** A trainer's keys are getters; a spread of it would lose them. */
function withEngine({ seed, container, engine }: ModelContext): ModelContext {
  return { seed, container, engine };
}
