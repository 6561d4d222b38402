// What is asked of, and given to, the commands that use a trained model, wherever its weights come from.
import type { Config } from '../config/index.js';
import { AnemoneError } from '../errors/index.js';
import type { TrainableModel } from '../model/index.js';
import type { Trainer } from '../training/index.js';

export interface TrainedModelOptions {
  /** `key=value` changes of the checkpoint's config. */
  readonly overrides: readonly string[] | ((config: Config) => readonly string[]);
  /** `auto` (averaged where the run kept an average), `raw` or `ema`. */
  readonly weights: string;
  /** Engine to compute on; default: the one the run used. */
  readonly engine?: string | undefined;
  /** Modules that export components of the user's own. */
  readonly modules?: readonly string[];
}

export interface TrainedModel {
  readonly trainer: Trainer;
  readonly model: TrainableModel;
  /** The checkpoint that was loaded; a given folder is resolved to one. */
  readonly path: string;
}

/** Sections that these commands read, whether the config has them or not. */
const SECTIONS = ['model', 'trainer'];

/**
 * All changes of `config` that the options ask for.
 * @throws AnemoneError `cli.override` for a change at the top of the config, where nothing would read it
 */
export function overridesOf({ engine, overrides }: TrainedModelOptions, config: Config): string[] {
  const engineChange = engine === undefined ? [] : [`++trainer.engine={name: ${engine}}`];
  const askedOverrides = typeof overrides === 'function' ? overrides(config) : overrides;
  for (const text of askedOverrides) refuseUnread(text, config);
  return [...withoutCallbacks(config), ...engineChange, ...askedOverrides];
}

/** They belong to training, and may be of a module that is not imported now. */
function withoutCallbacks(config: Config): string[] {
  const { trainer } = config as Readonly<Record<string, unknown>>;
  const hasCallbacks = typeof trainer === 'object' && trainer !== null && 'callbacks' in trainer;
  return hasCallbacks ? ['~trainer.callbacks'] : [];
}

function refuseUnread(text: string, config: Config): void {
  const [, prefix, key, rest] = /^(\+\+|\+|~)?([A-Za-z_]\w*)(.*)$/s.exec(text) ?? [];
  if (key === undefined || key in config || SECTIONS.includes(key)) return;
  // A new single value is allowed: it may be there for others to refer to.
  if (prefix?.startsWith('+') && /^=\s*[^\s{[]/.test(rest)) return;
  throw new AnemoneError({
    code: 'cli.override',
    message: `there is no "${key}" at the top of the config`,
    position: { file: `override ${text}` },
    hint: `keys of the model begin with "model.": did you mean "${prefix ?? ''}model.${key}${rest}"?`,
  });
}
