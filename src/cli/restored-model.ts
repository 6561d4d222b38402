// A .nemo archive for the commands that use a trained model: what trained-model.ts does for checkpoints.
import type { TrainedModel, TrainedModelOptions } from './trained-model.js';

/** Of sets that are named on the command line, for archives that have no such section. */
const BATCH_SIZE = 8;

export function isArchive(path: string): boolean {
  return path.endsWith('.nemo');
}

/** @throws AnemoneError `cli.option` for averaged weights, `nemo.*` and what else `restoreModel` throws */
export async function loadArchive(path: string, options: TrainedModelOptions): Promise<TrainedModel> {
  const { restoreConfig, restoreModel } = await import('../asr/index.js');
  const { createDefaultContainer } = await import('../composition.js');
  const { isMapping, selectValue } = await import('../config/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  const { Trainer } = await import('../training/index.js');
  if (options.weights === 'ema') {
    const message = 'a .nemo file holds one set of weights';
    throw new AnemoneError({ code: 'cli.option', path: '--weights', message });
  }
  const engine = options.engine === undefined ? [] : [`++trainer.engine={name: ${options.engine}}`];
  const written = await restoreConfig(path);
  const sizes = ['test_ds', 'validation_ds'].filter(
    (name) =>
      options.overrides.some((change) => change.includes(`model.${name}.manifest_filepath`)) &&
      !selectValue(written, `model.${name}.batch_size`),
  );
  const overrides = [
    ...engine,
    ...sizes.map((name) => `++model.${name}.batch_size=${BATCH_SIZE}`),
    ...options.overrides,
  ];
  const { trainer: section } = await restoreConfig(path, overrides);
  const trainer = new Trainer(isMapping(section) ? section : {});
  const { seed, view } = trainer;
  const context = { seed, view, container: createDefaultContainer(), engine: trainer.engine };
  try {
    return { trainer, model: await restoreModel(path, context, { overrides }), path };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}
