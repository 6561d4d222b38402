// Models by name, so that a configuration's `target` says which one it describes.
import { type ConfigNode, requireMapping } from '../../config/index.js';
import { type ComponentDescriptor, component, defineKind, type KindOf } from '../../container/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { containerOf, type ModelContext, ownContext, type TrainableModel } from '../../model/index.js';
import { initFromConfig, type RestoreOptions } from '../../nemo/index.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import { type Adaptation, adaptModel } from './adaptation.js';
import { brickComponents } from './bricks.js';
import { ctcModelSchema, EncDecCTCModelBPE } from './ctc-model.js';
import { checkBricks, checkFamily, modelClass } from './family.js';
import { fineTunedModel, isFineTuning } from './fine-tune.js';
import { EncDecHybridRNNTCTCBPEModel, hybridModelSchema } from './hybrid-model.js';
import { speechKinds } from './kinds.js';
import { EncDecMultiTaskModel, multiTaskSchema } from './multitask-model.js';
import { EncDecHybridRNNTCTCBPEModelWithPrompt, promptHybridSchema } from './prompt-hybrid-model.js';
import { EncDecRNNTBPEModel, rnntModelSchema } from './rnnt-model.js';
import { SpeechModel } from './speech-model.js';

/** Makes models of one class. A model component builds this, for a model needs more than its config. */
export interface ModelFactory {
  fromConfig(node: ConfigNode, context?: ModelContext): TrainableModel;
}

export const modelKind = defineKind<ModelFactory>('model', 'a model');

/** Every kind that speech models read, for the composition root. */
export const asrKinds: readonly KindOf<unknown>[] = [...speechKinds, modelKind];

function nemoNames(name: string, file: string): string[] {
  return [`nemo.collections.asr.models.${name}`, `nemo.collections.asr.models.${file}.${name}`];
}

export const modelComponents = [
  ...(
    [
      ['EncDecRNNTBPEModel', 'rnnt_bpe_models'],
      ['EncDecRNNTModel', 'rnnt_models'],
    ] as const
  ).map(([name, file]) =>
    component({
      kind: modelKind,
      name,
      aliases: nemoNames(name, file),
      schema: rnntModelSchema,
      create: (): ModelFactory => EncDecRNNTBPEModel,
    }),
  ),
  ...(
    [
      ['EncDecCTCModelBPE', 'ctc_bpe_models'],
      ['EncDecCTCModel', 'ctc_models'],
    ] as const
  ).map(([name, file]) =>
    component({
      kind: modelKind,
      name,
      aliases: nemoNames(name, file),
      schema: ctcModelSchema,
      create: (): ModelFactory => EncDecCTCModelBPE,
    }),
  ),
  ...(
    [
      ['EncDecHybridRNNTCTCBPEModel', 'hybrid_rnnt_ctc_bpe_models'],
      ['EncDecHybridRNNTCTCModel', 'hybrid_rnnt_ctc_models'],
    ] as const
  ).map(([name, file]) =>
    component({
      kind: modelKind,
      name,
      aliases: nemoNames(name, file),
      schema: hybridModelSchema,
      create: (): ModelFactory => EncDecHybridRNNTCTCBPEModel,
    }),
  ),
  component({
    kind: modelKind,
    name: 'EncDecHybridRNNTCTCBPEModelWithPrompt',
    aliases: nemoNames('EncDecHybridRNNTCTCBPEModelWithPrompt', 'hybrid_rnnt_ctc_bpe_models_prompt'),
    schema: promptHybridSchema,
    create: (): ModelFactory => EncDecHybridRNNTCTCBPEModelWithPrompt,
  }),
  component({
    kind: modelKind,
    name: 'EncDecMultiTaskModel',
    aliases: nemoNames('EncDecMultiTaskModel', 'aed_multitask_models'),
    schema: multiTaskSchema,
    create: (): ModelFactory => EncDecMultiTaskModel,
  }),
];

/** Every component of the asr folder, for the composition root. */
export const asrComponents: readonly ComponentDescriptor[] = [...brickComponents, ...modelComponents];

/**
 * The model that a `model` section describes; `target` names its class, without it the sections tell which one it is.
 * @throws AnemoneError `container.unknown-component`, `asr.model-not-supported`, and what the class's `fromConfig` throws
 */
export function createModel(node: ConfigNode, context: ModelContext = {}): TrainableModel {
  requireMapping(node, 'model');
  const container = containerOf(context, asrComponents);
  const { components } = container;
  const descriptor = components.findFor(node, 'model', 'target', modelClass(node, components), 'model');
  checkBricks(node, components);
  const factory = descriptor.create({}, container) as ModelFactory;
  return factory.fromConfig(node, ownContext(context, container));
}

/**
 * The model that a whole config describes: that of its `model` section or, where this has no network, one restored from
 * `init_from_nemo_model` to be fine-tuned (NeMo's speech_to_text_finetune.yaml); with the starting values asked for.
 * @throws AnemoneError; see `createModel`, `fineTunedModel`, `initFromConfig`
 */
export async function createFromConfig(
  config: ConfigNode,
  context: ModelContext & { readonly engine: Engine },
  say: (line: string) => void = () => {},
): Promise<TrainableModel> {
  const section = requireMapping(requireMapping(config, 'config')['model'], 'model');
  checkFamily(section, containerOf(context, asrComponents).components);
  if (isFineTuning(config)) return fineTunedModel(config, speechModelOf('init_from_nemo_model'), context);
  const model = createModel(section, context);
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
  return restoreSpeechArchive(path, speechModelOf(path), context, options);
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
