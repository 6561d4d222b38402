// .nemo archives of language models.
import { isMapping } from '../config/index.js';
import { CONFIG_WARNINGS, type Container, LOG, READ_FILE, warningsInLog } from '../container/index.js';
import { ENGINE } from '../engine/index.js';
import { type ModelContext, ModelFiles, modelScope, useFiles } from '../model/index.js';
import {
  type ArchiveContext,
  type ArchiveLayout,
  type RestoreOptions,
  restoreArchive,
} from '../nemo/index.js';
import { archiveWeights } from './archive-weights.js';
import { brickComponents } from './bricks.js';
import { MegatronGPTModel } from './gpt-model.js';

const LAYOUT: ArchiveLayout = {
  aside: ['data', 'optim', 'optim_param_groups'],
  repeated: [],
  network: ['tokenizer', 'num_layers', 'hidden_size', 'num_attention_heads'],
  usual: /: model\.(data|optim)\.\S+: /,
  derived: () => ({}),
  weights: (file, model) => archiveWeights(file, isMapping(model) && model['mcore_gpt'] === true),
};

/**
 * The model of a .nemo archive of NeMo's or of ours, with its weights in the context's engine.
 * @throws AnemoneError; see `restoreArchive`
 */
export function restoreLanguageModel(
  path: string,
  context: ModelContext,
  options: RestoreOptions = {},
): Promise<MegatronGPTModel> {
  const container = modelScope(context, brickComponents);
  return restoreArchive(
    path,
    (node, archive) => MegatronGPTModel.fromConfig(node, archiveScope(container, archive)),
    { engine: container.has(ENGINE) ? container.resolve(ENGINE) : undefined, say: container.resolve(LOG) },
    LAYOUT,
    options,
  );
}

function archiveScope(container: Container, { log, artifacts, sealed }: ArchiveContext): Container {
  const scope = container.scope().registerValue(LOG, log);
  scope.registerValue(CONFIG_WARNINGS, warningsInLog(log));
  return useFiles(scope, new ModelFiles(container.resolve(READ_FILE), artifacts, sealed));
}
