// From configs and archives to models, whatever their family.
import { type ConfigNode, requireMapping } from '../../config/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { containerOf, type ModelContext, ownContext, type TrainableModel } from '../../model/index.js';
import { initFromConfig, type RestoreOptions } from '../../nemo/index.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import { type Adaptation, adaptModel } from './adaptation.js';
import { checkConfig, trainingContainer } from './check-config.js';
import { asrComponents } from './families.js';
import { fineTunedModel, isFineTuning } from './fine-tune.js';
import { archivesOf, type ModelFactory } from './model-component.js';
import { modelClass } from './section-family.js';
import { SpeechModel } from './speech-model.js';

/**
 * The model that a `model` section describes; `target` names its class, without it the sections tell which one it is.
 * @throws AnemoneError `container.unknown-component`, `asr.model-not-supported`, and what the class's `fromConfig` throws
 */
export function createModel(node: ConfigNode, context: ModelContext = {}): TrainableModel {
  requireMapping(node, 'model');
  const container = containerOf(context, asrComponents);
  const { components } = container;
  const descriptor = components.findFor(node, 'model', 'target', modelClass(node, components), 'model');
  const factory = descriptor.create({}, container) as ModelFactory;
  return factory.fromConfig(node, ownContext(context, container));
}

/**
 * The model that a whole config describes: that of its `model` section or, where this has no network, one restored from
 * `init_from_nemo_model` to be fine-tuned (NeMo's speech_to_text_finetune.yaml); with the starting values asked for.
 * All sections are checked before, also those of the trainer and the experiment manager.
 * @throws AnemoneError(s) with all mistakes of the config; see `checkConfig`, `createModel`, `fineTunedModel`, `initFromConfig`
 */
export async function createFromConfig(
  config: ConfigNode,
  context: ModelContext & { readonly engine: Engine },
  say: (line: string) => void = () => {},
): Promise<TrainableModel> {
  requireMapping(config, 'config');
  const container = context.container ?? trainingContainer();
  // Keys without effect are told by whoever makes something of their section.
  checkConfig(config, { container });
  if (isFineTuning(config)) {
    return fineTunedModel(config, speechModelOf('init_from_nemo_model'), context, archivesOf({ container }));
  }
  const model = createModel(config['model'] as ConfigNode, ownContext(context, container));
  await initFromConfig(model.module, config, context.engine, say);
  return model;
}

/**
 * The model of a .nemo archive, of the class its `target` names, with its weights in the context's engine
 * (NeMo's `ASRModel.restore_from`).
 * @throws AnemoneError; see `restoreSpeechArchive`
 */
export function restoreModel(
  path: string,
  context: ModelContext,
  options: RestoreOptions = {},
): Promise<SpeechModel> {
  const families = archivesOf({ container: containerOf(context, asrComponents) });
  return restoreSpeechArchive(path, speechModelOf(path), context, families, options);
}

function speechModelOf(path: string): (node: ConfigNode, own: ModelContext) => SpeechModel {
  return (node, own) => {
    const model = createModel(node, own);
    if (model instanceof SpeechModel) return model;
    throw new AnemoneError({ code: 'nemo.not-speech', message: `${path} holds no speech model` });
  };
}

/**
 * The model of a `model` section of NeMo's asr_adaptation.yaml (`nemo_model`, `adapter`, data, `optim`): the archive's
 * model with a new adapter, which alone is trainable. A checkpoint of it is one of the whole model.
 * @throws AnemoneError(s) `adapter.*`, `config.*`; see `restoreSpeechArchive`
 */
export function adaptedModel(node: ConfigNode, context: ModelContext): Promise<Adaptation> {
  return adaptModel(node, context, restoreModel);
}
