// Models by name, so that a configuration's `target` says which one it describes.
import type { ConfigNode } from '../../config/index.js';
import { component, defineKind } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { TrainableModel } from '../../nn/index.js';
import { type RestoreOptions, restoreArchive } from '../nemo/restore.js';
import { containerOf, type ModelContext, ownContext } from './context.js';
import { ctcModelSchema, EncDecCTCModelBPE } from './ctc-model.js';
import { EncDecHybridRNNTCTCBPEModel, hybridModelSchema } from './hybrid-model.js';
import { EncDecMultiTaskModel, multiTaskSchema } from './multitask-model.js';
import { EncDecRNNTBPEModel, rnntModelSchema } from './rnnt-model.js';
import { SpeechModel } from './speech-model.js';

/** Makes models of one class. A model component builds this, for a model needs more than its config. */
export interface ModelFactory {
  fromConfig(node: ConfigNode, context?: ModelContext): TrainableModel;
}

export const modelKind = defineKind<ModelFactory>('model');

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
    name: 'EncDecMultiTaskModel',
    aliases: nemoNames('EncDecMultiTaskModel', 'aed_multitask_models'),
    schema: multiTaskSchema,
    create: (): ModelFactory => EncDecMultiTaskModel,
  }),
];

/**
 * The model that a `model` section describes; `target` names its class; if absent, EncDecMultiTaskModel with an
 * attention decoder, else EncDecRNNTBPEModel.
 * @throws AnemoneError `container.unknown-component`, and what the class's `fromConfig` throws
 */
export function createModel(node: ConfigNode, context: ModelContext = {}): TrainableModel {
  const container = containerOf(context, modelComponents);
  const usual = 'transf_decoder' in node ? 'EncDecMultiTaskModel' : 'EncDecRNNTBPEModel';
  const descriptor = container.components.findFor(node, 'model', 'target', usual, 'model');
  const factory = descriptor.create({}, container) as ModelFactory;
  return factory.fromConfig(node, ownContext(context, container));
}

/**
 * The model of a .nemo archive, of the class its `target` names, with its weights in the context's engine
 * (NeMo's `ASRModel.restore_from`).
 * @throws AnemoneError; see `restoreArchive`
 */
export function restoreModel(
  path: string,
  context: ModelContext,
  options: RestoreOptions = {},
): Promise<SpeechModel> {
  const make = (node: ConfigNode, own: ModelContext): SpeechModel => {
    const model = createModel(node, own);
    if (model instanceof SpeechModel) return model;
    throw new AnemoneError({ code: 'nemo.not-speech', message: `${path} holds no speech model` });
  };
  return restoreArchive(path, make, context, options);
}
