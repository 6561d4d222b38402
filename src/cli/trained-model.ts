// What the commands that use a trained model share: the model a checkpoint holds, with its weights loaded.
import type { SpeechModel } from '../asr/index.js';
import type { ConfigNode } from '../config/index.js';
import type { TrainableModel } from '../model/index.js';
import { containerWith } from './own-components.js';
import { overridesOf, type TrainedModel, type TrainedModelOptions } from './trained-model-options.js';

/** @throws AnemoneError `checkpoint.*`, and everything wrong in the config after overrides */
export async function loadTrainedModel(path: string, options: TrainedModelOptions): Promise<TrainedModel> {
  const { AnemoneError } = await import('../errors/index.js');
  const { openModel, sealedBut } = await import('../asr/index.js');
  const { withOverrides } = await import('../config/index.js');
  const { resolveCheckpoint, restoreWeights, Trainer } = await import('../training/index.js');
  if (!['auto', 'raw', 'ema'].includes(options.weights)) {
    throw new AnemoneError({ code: 'cli.option', path: '--weights', message: 'expected auto, raw or ema' });
  }
  const container = await containerWith(options.modules);
  const { isArchive, loadArchive } = await import('./restored-model.js');
  if (isArchive(path)) return loadArchive(path, options, container);
  const checkpoint = await resolveCheckpoint(path);
  const ownConfig = await checkpoint.config();
  const overrides = overridesOf(options, ownConfig);
  const config = withOverrides(ownConfig, overrides);
  const trainer = new Trainer(config['trainer'] ?? {}, { container });
  const artifacts = await checkpoint.artifacts();
  const { services } = trainer;
  // A checkpoint may be a stranger's: the files that it names must be in it, or named by the user.
  const context = { services, container, artifacts, sealed: sealedBut(overrides) };
  const model = await openModel(config['model'] as ConfigNode, context);
  await restoreWeights(checkpoint, model, trainer.engine, options.weights as 'auto' | 'raw' | 'ema');
  return { trainer, model, path: checkpoint.path };
}

export function isSpeechModel(model: TrainableModel): model is SpeechModel {
  return 'transcribe' in model && typeof model.transcribe === 'function';
}
