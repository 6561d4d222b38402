// Transducers with a CTC branch as configs, archives and `inspect` know them; see hybrid-model.ts.
import { defineSchema } from '../../config/index.js';
import { type Tensor, type Tensors, tf } from '../../engine/index.js';
import { evaluationPass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import { frameDecodingKind, strategiesOf } from '../decoding/decoding-kinds.js';
import { lossChoice, strategyChoice } from '../nemo/saved-choices.js';
import { nemoClass } from '../nemo/saved-config.js';
import { interCtcField } from '../recognition/inter-ctc.js';
import { classifierSizes, ctcFields } from './ctc-family.js';
import { type ModelFamily, vocabularyPart } from './model-family.js';
import { commonIgnored } from './model-schema.js';
import { rnntFamily, rnntFields, type TransducerParts, transducerStages } from './rnnt-family.js';

const auxCtcSchema = defineSchema(
  'aux_ctc',
  {
    ...ctcFields,
    ctc_loss_weight: { doc: 'Share w of the CTC loss.', format: 'number', min: 0, max: 1, default: 0.5 },
  },
  {
    doc: 'The CTC branch.',
    ignored: { use_cer: { instead: 'both WER and CER are reported', harmless: [false, true] } },
  },
);

export const hybridFields = {
  ...rnntFields,
  ...interCtcField,
  aux_ctc: { doc: 'The CTC branch.', format: auxCtcSchema },
} as const;

export const hybridModelSchema = defineSchema('EncDecHybridRNNTCTCBPEModel', hybridFields, {
  doc: 'A transducer with an auxiliary CTC branch.',
  ignored: commonIgnored,
});

export interface HybridParts extends TransducerParts {
  readonly ctcDecoder: ConvASRDecoder;
  /** What the heads are given of the encoder's output [B,T,d]. */
  condition(encoded: Tensor, inputs: Tensors): Tensor;
}

export const hybridFamily: ModelFamily<HybridParts> = {
  classes: {
    tokens: nemoClass('EncDecHybridRNNTCTCBPEModel', 'hybrid_rnnt_ctc_bpe_models'),
    characters: nemoClass('EncDecHybridRNNTCTCModel', 'hybrid_rnnt_ctc_models'),
  },
  schema: hybridModelSchema,
  recognises: (section) => 'aux_ctc' in section,
  archive: { network: [...rnntFamily.archive.network, 'aux_ctc'], decoding: ['aux_ctc.decoding'] },
  bricks: [...rnntFamily.bricks, ['aux_ctc.decoder', 'decoder']],
  choices: {
    ...rnntFamily.choices,
    'aux_ctc.loss': lossChoice('aux_ctc.loss', 'CTCLoss', 'ctc_reduction', false),
    'aux_ctc.decoding': strategyChoice('aux_ctc.decoding', strategiesOf(frameDecodingKind)),
  },
  ownKeys: {
    ...rnntFamily.ownKeys,
    'aux_ctc.decoding.greedy': ['window'],
    aux_ctc: ['ctc_implementation'],
  },
  completeConfig(config, model) {
    config.set('aux_ctc.decoder', classifierSizes(model));
    rnntFamily.completeConfig(config, model);
  },
  frameClassifiers: ['aux_ctc.decoder'],
  vocabularyModules: ({ decoder, joint, ctcDecoder }, keptPart) =>
    vocabularyPart([decoder, joint, ctcDecoder], keptPart),
  stages(model, { encoded }, inputs, bound) {
    const conditioned = model.condition(encoded, inputs);
    return {
      ...(conditioned !== encoded && { 'prompt_kernel.outputs': tf.clone(conditioned) }),
      ...transducerStages(model, conditioned, inputs, bound),
      'ctc_decoder.logprobs': model.ctcDecoder.forward(conditioned, evaluationPass),
    };
  },
  // The two losses are apart where there are two.
  lossStages({ loss, logs: { rnnt_loss, ctc_loss } = {} }): Tensors {
    return rnnt_loss ? { 'loss.rnnt': rnnt_loss, 'loss.ctc': ctc_loss } : { 'loss.rnnt': loss };
  },
};
