// A .nemo archive for the commands that use a trained model: what trained-model.ts does for checkpoints.
import type { Container } from '../container/index.js';
import { overridesOf, type TrainedModel, type TrainedModelOptions } from './trained-model-options.js';

export function isArchive(path: string): boolean {
  return path.endsWith('.nemo');
}

/** @throws AnemoneError `cli.option` for averaged weights, `nemo.*` and what else `restoreModel` throws */
export async function loadArchive(
  path: string,
  options: TrainedModelOptions,
  container: Container,
): Promise<TrainedModel> {
  const { restoreConfig, restoreModel } = await import('../asr/index.js');
  const { isLanguageModel, isTuning, MegatronGPTSFTModel, restoreLanguageModel } = await import(
    '../lm/index.js'
  );
  const { isMapping } = await import('../config/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  const { Trainer } = await import('../training/index.js');
  if (options.weights === 'ema') {
    const message = 'a .nemo file holds one set of weights';
    throw new AnemoneError({ code: 'cli.option', path: '--weights', message });
  }
  const overrides = overridesOf(options, await restoreConfig(path));
  const { trainer: section, model: node } = await restoreConfig(path, overrides);
  const restore = isLanguageModel(node) ? restoreLanguageModel : restoreModel;
  const trainer = new Trainer(isMapping(section) ? section : {}, { container });
  try {
    if (isTuning(node)) return { trainer, model: await MegatronGPTSFTModel.restore(path, trainer, overrides), path }; // biome-ignore format: one line
    return { trainer, model: await restore(path, trainer, { overrides }), path };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}
