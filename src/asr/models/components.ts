// From configs and archives to models, whatever their family.
import { type ConfigNode, type Loaded, requireMapping } from '../../config/index.js';
import { type Container, LOG } from '../../container/index.js';
import { ENGINE } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { type ModelContext, type ModelFactory, modelScope, type TrainableModel } from '../../model/index.js';
import { initFromConfig, type RestoreOptions } from '../../nemo/index.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import { type Adaptation, type AdaptationSection, adaptModel } from './adaptation.js';
import { checkConfig, configComponents } from './check-config.js';
import { asrComponents, type StockSection, type StockTarget } from './families.js';
import { type FineTuningSection, fineTunedModel, isFineTuning } from './fine-tune.js';
import { archivesOf } from './model-component.js';
import { modelClass } from './section-family.js';
import { SpeechModel } from './speech-model.js';

/** A `model` section whose `target` names a class that is not of this library; the class knows its keys. */
export interface OwnModelSection<T extends string = string> {
  readonly target: T extends StockTarget ? never : T;
  readonly [key: string]: unknown;
}

/** A whole config as code may write it. What other sections there are is up to who reads them. */
export interface ModelConfigInput<M = StockSection | FineTuningSection> {
  readonly model: M;
  readonly [key: string]: unknown;
}

/**
 * The model that a `model` section describes; `target` names its class, without it the sections tell which one it is.
 * @throws AnemoneError `container.unknown-component`, `asr.model-not-supported`, and what the class's `fromConfig` throws
 */
export function createModel(node: StockSection, context?: ModelContext): SpeechModel;
export function createModel<const T extends string>(
  node: OwnModelSection<T>,
  context?: ModelContext,
): TrainableModel;
export function createModel(node: Loaded, context?: ModelContext): TrainableModel;
export function createModel(section: object, context: ModelContext = {}): TrainableModel {
  const node = requireMapping(section, 'model');
  const scope = modelScope(context, asrComponents);
  return factoryOf(node, scope).fromConfig(node, scope);
}

/** As `createModel`, also for models that are made of files, such as those that are restored to be tuned. */
export async function openModel(section: Loaded, context: ModelContext = {}): Promise<TrainableModel> {
  const node = requireMapping(section, 'model');
  const scope = modelScope(context, asrComponents);
  const factory = factoryOf(node, scope);
  return factory.open ? factory.open(node, scope) : factory.fromConfig(node, scope);
}

function factoryOf(node: ConfigNode, scope: Container): ModelFactory {
  const { components } = scope;
  const descriptor = components.findFor(node, 'model', 'target', modelClass(node, components), 'model');
  return scope.build(descriptor, {}) as ModelFactory;
}

/**
 * The model that a whole config describes: that of its `model` section or, where this has no network, one restored from
 * `init_from_nemo_model` to be fine-tuned (NeMo's speech_to_text_finetune.yaml); with the starting values asked for.
 * All sections are checked before, also those of the trainer and the experiment manager.
 * @throws AnemoneError(s) with all mistakes of the config; see `checkConfig`, `createModel`, `fineTunedModel`, `initFromConfig`
 */
export async function createFromConfig<const T extends string>(
  input: Loaded | ModelConfigInput<OwnModelSection<T>>,
  context: ModelContext,
  say?: (line: string) => void,
): Promise<TrainableModel>;
export async function createFromConfig(
  input: ModelConfigInput,
  context: ModelContext,
  say?: (line: string) => void,
): Promise<SpeechModel>;
export async function createFromConfig(
  input: object,
  context: ModelContext,
  say?: (line: string) => void,
): Promise<TrainableModel> {
  const config = requireMapping(input, 'config');
  const scope = modelScope(context, configComponents);
  // Keys without effect are told by whoever makes something of their section.
  checkConfig(config, { container: scope });
  if (isFineTuning(config)) {
    const families = archivesOf(scope.components);
    return fineTunedModel(config, speechModelOf('init_from_nemo_model'), scope, families);
  }
  const model = await openModel(config['model'] as ConfigNode, scope);
  await initFromConfig(model.module, config, scope.resolve(ENGINE), say ?? scope.resolve(LOG));
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
  const scope = modelScope(context, asrComponents);
  return restoreSpeechArchive(path, speechModelOf(path), scope, archivesOf(scope.components), options);
}

/** Whether a model hears speech, and so transcribes: `createModel` also makes models of classes of your own. */
export function isSpeechModel(model: TrainableModel): model is SpeechModel {
  return model instanceof SpeechModel;
}

function speechModelOf(path: string): (node: ConfigNode, scope: Container) => SpeechModel {
  return (node, scope) => {
    const model = createModel(node, scope);
    if (model instanceof SpeechModel) return model;
    throw new AnemoneError({ code: 'nemo.not-speech', message: `${path} holds no speech model` });
  };
}

/**
 * The model of a `model` section of NeMo's asr_adaptation.yaml (`nemo_model`, `adapter`, data, `optim`): the archive's
 * model with a new adapter, which alone is trainable. A checkpoint of it is one of the whole model.
 * @throws AnemoneError(s) `adapter.*`, `config.*`; see `restoreSpeechArchive`
 */
export function adaptedModel(node: AdaptationSection, context: ModelContext): Promise<Adaptation> {
  return adaptModel(node as ConfigNode, context, restoreModel);
}
