// What is asked of, and given to, the commands that use a trained model, wherever its weights come from.
import type { Config } from '../config/index.js';
import type { TrainableModel } from '../model/index.js';
import type { Trainer } from '../training/index.js';

export interface TrainedModelOptions {
  /** `key=value` changes of the checkpoint's config. */
  readonly overrides: readonly string[] | ((config: Config) => readonly string[]);
  /** `auto` (averaged where the run kept an average), `raw` or `ema`. */
  readonly weights: string;
  /** Engine to compute on; default: the one the run used. */
  readonly engine?: string;
  /** Modules that export components of the user's own. */
  readonly modules?: readonly string[];
}

export interface TrainedModel {
  readonly trainer: Trainer;
  readonly model: TrainableModel;
  /** The checkpoint that was loaded; a given folder is resolved to one. */
  readonly path: string;
}

/** All changes of `config` that the options ask for. */
export function overridesOf({ engine, overrides }: TrainedModelOptions, config: Config): string[] {
  const engineChange = engine === undefined ? [] : [`++trainer.engine={name: ${engine}}`];
  // They belong to training, and may be of a module that is not imported now.
  const { trainer } = config as Readonly<Record<string, unknown>>;
  const hasCallbacks = typeof trainer === 'object' && trainer !== null && 'callbacks' in trainer;
  return [
    ...(hasCallbacks ? ['~trainer.callbacks'] : []),
    ...engineChange,
    ...(typeof overrides === 'function' ? overrides(config) : overrides),
  ];
}
