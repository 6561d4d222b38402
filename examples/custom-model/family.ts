// What configs, archives and `inspect` know of DeepCTC models; the model itself is in model.ts.
import {
  commonFields,
  commonIgnored,
  type ModelFamily,
  type SpeechParts,
  vocabularyPart,
} from '../../src/asr/index.js';
import { defineSchema, type Tensor, tf } from '../../src/index.js';
import type { Module } from '../../src/nn/index.js';

/** Keys of the `model` section: those of all speech models, and one section of its own. */
export const deepCtcSchema = defineSchema(
  'DeepCTCModel',
  {
    ...commonFields,
    classifier: {
      doc: 'Behind the encoder.',
      format: defineSchema('classifier', {
        hidden: { doc: 'Width of the hidden layer.', format: 'int', min: 1, default: 64 },
        temperature: { doc: 'Divides the scores.', format: 'number', above: 0, default: 1 },
        num_classes: { doc: 'Written when the model is saved.', format: 'int', default: -1 },
        note: { doc: 'Left out of archives.', format: 'string', default: '' },
      }),
    },
  },
  { doc: 'CTC with a hidden layer in front of its classifier.', ignored: commonIgnored },
);

/** What the functions below read of a model. */
interface DeepCtcParts extends SpeechParts {
  readonly classifier: Module & { readonly vocabularyLayers: readonly Module[] };
  logProbabilities(encoded: Tensor): Tensor;
}

export const deepCtcFamily: ModelFamily<DeepCtcParts> = {
  // `target` of a config names it; a path is what is written into .nemo archives, so that a Python class could read them.
  classes: { tokens: { name: 'DeepCTCModel', paths: ['mine.models.DeepCTCModel'] } },
  schema: deepCtcSchema,
  recognises: (section) => 'classifier' in section,
  archive: { network: ['classifier'] },
  bricks: [],
  ownKeys: { classifier: ['note'] },
  completeConfig(config, { tokenizer }) {
    config.set('', { labels: [...tokenizer.vocabulary] });
    config.set('classifier', { num_classes: tokenizer.vocabSize });
  },
  frameClassifiers: [],
  vocabularyModules: ({ classifier }, kept) => vocabularyPart([classifier], kept),
  stages: (model, { encoded }) => ({ 'classifier.logprobs': tf.clone(model.logProbabilities(encoded)) }),
  lossStages: ({ loss }) => ({ 'loss.ctc': loss }),
};
