// Hybrid models with prompts as configs, archives and `inspect` know them; see prompt-hybrid-model.ts.
import { defineSchema, isMapping } from '../../config/index.js';
import { nemoClass } from '../nemo/saved-config.js';
import { type HybridParts, hybridFamily, hybridFields } from './hybrid-family.js';
import type { ModelFamily } from './model-family.js';
import { commonIgnored } from './model-schema.js';

export const promptHybridSchema = defineSchema(
  'EncDecHybridRNNTCTCBPEModelWithPrompt',
  {
    ...hybridFields,
    num_prompts: {
      doc: 'Only kept; model_defaults.num_prompts (default 128) is the length of the one-hot vector.',
      format: 'int',
      nullable: true,
      default: null,
    },
    subsampling_factor: {
      doc: 'Only kept; the encoder says it.',
      format: 'int',
      nullable: true,
      default: null,
    },
  },
  {
    doc:
      'A hybrid model with prompts: model_defaults.prompt_dictionary numbers them by name, ' +
      'model_defaults.initialize_prompt_feature: true adds their layers.',
    ignored: { ...commonIgnored, bleu_tokenizer: 'no BLEU is computed' },
  },
);

export const promptHybridFamily: ModelFamily<HybridParts> = {
  ...hybridFamily,
  classes: {
    tokens: nemoClass('EncDecHybridRNNTCTCBPEModelWithPrompt', 'hybrid_rnnt_ctc_bpe_models_prompt'),
  },
  schema: promptHybridSchema,
  recognises(section) {
    const { model_defaults: defaults } = section;
    return 'aux_ctc' in section && isMapping(defaults) && 'prompt_dictionary' in defaults;
  },
};
