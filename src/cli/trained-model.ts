// What the commands that use a trained model share: the model a checkpoint holds, with its weights loaded.

import type { SpeechModel } from '../asr/index.js';
import type { Config, ConfigNode } from '../config/index.js';
import type { TrainableModel } from '../nn/index.js';
import type { Trainer } from '../training/index.js';
import { containerWith } from './own-components.js';

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

/** @throws AnemoneError `checkpoint.*`, and everything wrong in the config after overrides */
export async function loadTrainedModel(path: string, options: TrainedModelOptions): Promise<TrainedModel> {
  const { AnemoneError } = await import('../errors/index.js');
  const { createModel } = await import('../asr/index.js');
  const { withOverrides } = await import('../config/index.js');
  const { resolveCheckpoint, restoreWeights, Trainer } = await import('../training/index.js');
  if (!['auto', 'raw', 'ema'].includes(options.weights)) {
    throw new AnemoneError({ code: 'cli.option', path: '--weights', message: 'expected auto, raw or ema' });
  }
  const container = await containerWith(options.modules);
  const { isArchive, loadArchive } = await import('./restored-model.js');
  if (isArchive(path)) return loadArchive(path, options, container);
  const checkpoint = await resolveCheckpoint(path);
  const own = await checkpoint.config();
  const config = withOverrides(own, overridesOf(options, own));
  const trainer = new Trainer(config['trainer'] ?? {}, { container });
  const artifacts = await checkpoint.artifacts();
  const { seed, view } = trainer;
  const context = { seed, view, container, artifacts, engine: trainer.engine };
  const model = createModel(config['model'] as ConfigNode, context);
  await restoreWeights(checkpoint, model, trainer.engine, options.weights as 'auto' | 'raw' | 'ema');
  return { trainer, model, path: checkpoint.path };
}

/** All changes of `config` that the options ask for. */
export function overridesOf({ engine, overrides }: TrainedModelOptions, config: Config): string[] {
  const own = engine === undefined ? [] : [`++trainer.engine={name: ${engine}}`];
  return [...own, ...(typeof overrides === 'function' ? overrides(config) : overrides)];
}

export function isSpeechModel(model: TrainableModel): model is SpeechModel {
  return 'transcribe' in model && typeof model.transcribe === 'function';
}
