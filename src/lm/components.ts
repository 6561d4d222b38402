// Every component of the lm folder, for the composition root.
import { type ConfigNode, isMapping } from '../config/index.js';
import { type ComponentDescriptor, component } from '../container/index.js';
import { AnemoneError } from '../errors/index.js';
import { type ModelContext, modelKind, type RecognisingComponent } from '../model/index.js';
import { MegatronGPTModel } from './gpt-model.js';
import { gptModelSchema } from './gpt-schema.js';
import { MegatronGPTSFTModel, TUNED_TARGET } from './tuning/tuned-model.js';
import { type TuningSection, tuningSchema } from './tuning/tuning-schema.js';

const gpt: RecognisingComponent = {
  ...component({
    kind: modelKind,
    name: 'MegatronGPTModel',
    aliases: [
      'nemo.collections.nlp.models.language_modeling.megatron_gpt_model.MegatronGPTModel',
      'nemo.collections.nlp.models.language_modeling.MegatronGPTModel',
    ],
    schema: gptModelSchema,
    create: () => MegatronGPTModel,
  }),
  recognises: (section) =>
    'encoder_seq_length' in section || ('hidden_size' in section && 'num_layers' in section),
};

/** NeMo's megatron_gpt_finetuning.py; it needs files, so that it is opened and not made. */
const tuned: RecognisingComponent = {
  ...component({
    kind: modelKind,
    name: 'MegatronGPTSFTModel',
    aliases: [TUNED_TARGET],
    schema: tuningSchema,
    create: () => ({
      fromConfig: () => {
        throw new AnemoneError({
          code: 'lm.opened',
          path: 'model',
          message: 'a model that is restored to be tuned is opened from its file',
          hint: 'use createFromConfig or openModel, which wait for it',
        });
      },
      open: (node: ConfigNode, context: ModelContext) => MegatronGPTSFTModel.open(node as TuningSection, context),
    }),
  }),
  recognises: (section) => 'restore_from_path' in section && isMapping(section['data']) && Object.keys(section['data']).some((key) => key.endsWith('_ds')),
}; // biome-ignore format: lines that read better

/** Whether a `model` section is one of these models: its `target` says so, or its keys. */
export function isLanguageModel(section: unknown): boolean {
  return isOf(gpt, section);
}

/** Whether a `model` section tunes a model that is restored. */
export function isTuning(section: unknown): boolean {
  return isOf(tuned, section);
}

function isOf({ name, aliases, recognises }: RecognisingComponent, section: unknown): boolean {
  if (!isMapping(section)) return false;
  const { target } = section;
  return typeof target === 'string' ? target === name || aliases.includes(target) : recognises(section);
}

/** The language models that configs may name. */
export const lmComponents: readonly ComponentDescriptor[] = [gpt, tuned];
