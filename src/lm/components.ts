// Every component of the lm folder, for the composition root.
import { isMapping } from '../config/index.js';
import { type ComponentDescriptor, component } from '../container/index.js';
import { modelKind, type RecognisingComponent } from '../model/index.js';
import { MegatronGPTModel } from './gpt-model.js';
import { gptModelSchema } from './gpt-schema.js';

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

/** Whether a `model` section is one of these models: its `target` says so, or its keys. */
export function isLanguageModel(section: unknown): boolean {
  if (!isMapping(section)) return false;
  const { target } = section;
  if (typeof target !== 'string') return gpt.recognises(section);
  return target === gpt.name || gpt.aliases.includes(target);
}

/** The language models that configs may name. */
export const lmComponents: readonly ComponentDescriptor[] = [gpt];
